#!/bin/sh
# Writes .sqlx: what the checked queries were told by a database, so that the host builds where there is none.
# To be run, and its outcome committed, after a query or a migration has changed.
#
#   host/sqlx-prepare.sh           writes .sqlx anew
#   host/sqlx-prepare.sh --check   changes nothing; fails when .sqlx is not what the queries need
#
# DATABASE_URL names a PostgreSQL database whose user may create databases beside it. The queries are checked in a
# database of their own, made from migrations/ and dropped at the end.
set -eu

cd "$(dirname "$0")/.."
root=$(pwd)

mode=write
case "${1:-}" in
    '') ;;
    --check) mode=check ;;
    *) echo "usage: DATABASE_URL=postgres://… $0 [--check]" >&2; exit 2 ;;
esac
if [ -z "${DATABASE_URL:-}" ]; then
    echo "$0: DATABASE_URL is not set; it names a PostgreSQL database whose user may create databases" >&2
    exit 2
fi
command -v psql > /dev/null || { echo "$0: psql is needed (Debian: apt install postgresql-client)" >&2; exit 2; }

scratch=$(mktemp -d)
name="picloud_queries_$$"
cleanup() {
    psql --quiet --no-psqlrc --dbname "$DATABASE_URL" --command "DROP DATABASE IF EXISTS $name WITH (FORCE)" > /dev/null 2>&1 || true
    rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# The same address with the other database's name: what stands between the host and a query string.
queries_url=$(printf '%s\n' "$DATABASE_URL" | sed -E "s|^([a-z]+://[^/?]*)(/[^?]*)?|\1/$name|")

psql --quiet --no-psqlrc --dbname "$DATABASE_URL" --set ON_ERROR_STOP=1 --command "CREATE DATABASE $name"
for migration in migrations/*.sql; do
    psql --quiet --no-psqlrc --dbname "$queries_url" --set ON_ERROR_STOP=1 --single-transaction --file "$migration"
done

# The macros write one file per query while they are expanded, so the host must be compiled anew: touching a source file
# is what makes cargo do so.
mkdir "$scratch/queries"
touch host/src/lib.rs
DATABASE_URL="$queries_url" SQLX_OFFLINE=false SQLX_OFFLINE_DIR="$scratch/queries" cargo check --quiet --package picloud --lib
# What was checked against a database that is about to go must not be what the next build finds unchanged.
touch host/src/lib.rs

if [ "$mode" = check ]; then
    if ! diff --recursive --brief "$root/.sqlx" "$scratch/queries"; then
        echo "$0: .sqlx is stale; run $0 without --check and commit it" >&2
        exit 1
    fi
    echo "$0: .sqlx is what the queries need"
else
    rm -rf "$root/.sqlx"
    cp -R "$scratch/queries" "$root/.sqlx"
    echo "$0: wrote $(find "$root/.sqlx" -name 'query-*.json' | wc -l) queries to .sqlx"
fi
