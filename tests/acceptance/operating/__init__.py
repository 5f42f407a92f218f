"""What happens in booted machines that are operated: modules that the machine's own Python runs."""
