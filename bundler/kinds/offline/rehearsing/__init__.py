"""The steps of a package's rehearsal: what bootstrap, installer and roles do with it on a host, in our own words."""
