#!/bin/bash
# Makes the database cluster in an empty PGDATA, then runs it. Beside its place first: the rename is the commit.
set -euo pipefail
: "${PGDATA:?}" "${POSTGRES_USER:?}" "${POSTGRES_PASSWORD_FILE:?}"
if [[ ! -s $PGDATA/PG_VERSION ]]; then
  fresh=$PGDATA.new
  rm -rf "$fresh"
  # shellcheck disable=SC2086 # several options in one variable
  initdb --pgdata="$fresh" --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" \
    --auth-local=trust --auth-host=scram-sha-256 ${POSTGRES_INITDB_ARGS:-}
  echo 'host all all all scram-sha-256' >>"$fresh/pg_hba.conf"
  pg_ctl --pgdata="$fresh" --options="-c listen_addresses=''" --wait start
  createdb --username="$POSTGRES_USER" "${POSTGRES_DB:-$POSTGRES_USER}"
  pg_ctl --pgdata="$fresh" --mode=fast --wait stop
  mv "$fresh" "$PGDATA"
fi
exec postgres -D "$PGDATA" -c listen_addresses='*'
