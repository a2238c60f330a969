# Shared by up, down and reset: where the ERP lives, and how it starts and stops.
# shellcheck shell=bash
# Environment: TRYTON_DIR (state, default <repo>/target/tryton), TRYTON_PORT
# (18000), TRYTON_WORKERS (2), TRYTON_THREADS (4), TRYTON_PUSH_URL (no stock is
# pushed), PYTHON (python3).

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../../.." && pwd)
glue=$repo/examples/erp/tryton_gateway
mkdir -p "${TRYTON_DIR:=$repo/target/tryton}"
dir=$(cd "$TRYTON_DIR" && pwd)
port=${TRYTON_PORT:-18000} workers=${TRYTON_WORKERS:-2} threads=${TRYTON_THREADS:-4}
python=${PYTHON:-python3}
bin=$dir/venv/bin database=tryton
data=$dir/data/$database.sqlite pristine=$dir/pristine.sqlite
pid_file=$dir/server.pid log=$dir/server.log conf=$dir/trytond.conf

SECONDS=0
say() { printf '%4ds  %s\n' "$SECONDS" "$*"; }
die() { say "$1" >&2; [ -z "${2:-}" ] || tail -n 30 "$2" >&2; exit 1; }

# Only one of up, down, reset at a time on one directory; the server itself
# must not inherit the lock.
exec 9> "$dir/lock"
flock -w 300 9 || die "another run holds $dir/lock"

write_config() {
    cat > "$conf" <<CONF
[database]
uri = sqlite://
path = $dir/data

[web]
listen = 127.0.0.1:$port
root = $dir/no-web-client

[comptoir]
blocked_category = Blocked
push_url = ${TRYTON_PUSH_URL:-}
push_heartbeat = 1
CONF
}

running() {     # the pid in the file is alive and is our server, not a reused number
    local pid
    pid=$(cat "$pid_file" 2>/dev/null) && [ -n "$pid" ] &&
        tr '\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null | grep -qF "$bin/gunicorn"
}

answers() {
    "$python" - "$port" "$database" <<'PY'
import sys, urllib.error, urllib.request
port, database = sys.argv[1:]
def ask(path, method):
    return urllib.request.urlopen(urllib.request.Request(
        f'http://127.0.0.1:{port}{path}',
        b'{"id":0,"method":"%s","params":[]}' % method.encode(),
        {'Content-Type': 'application/json'}), timeout=5).read()
assert b'"8.0"' in ask('/rpc/', 'common.server.version')
try:                                # 401: the database is loaded and wants a login
    ask(f'/{database}/rpc/', 'model.res.user.get_preferences')
except urllib.error.HTTPError as error:
    assert error.code == 401, error
PY
}

start() {
    local config_before
    config_before=$(cat "$conf" 2>/dev/null || true)
    write_config
    if running; then
        if [ "$config_before" = "$(cat "$conf")" ] && answers 2>/dev/null; then
            say "already answering on 127.0.0.1:$port"; return
        fi
        stop
    fi
    if listens; then
        die "port $port is taken by someone else (TRYTON_PORT chooses another)"
    fi
    # The database has to be named: 8.0 does not load an unnamed one on demand.
    TRYTOND_CONFIG=$conf TRYTOND_DATABASE_NAMES=$database TRYTOND_LOGGING_LEVEL=30 \
        setsid nohup "$bin/gunicorn" --bind "127.0.0.1:$port" --preload \
        --worker-class gthread --workers "$workers" --threads "$threads" \
        --keep-alive 75 --timeout 120 --no-control-socket --pid "$pid_file" \
        trytond.application:app > "$log" 2>&1 < /dev/null 9>&- &
    local child=$! waited_from=$SECONDS
    # It listens when it has loaded the database; a machine may be busy with other things.
    while [ $((SECONDS - waited_from)) -lt 240 ]; do
        if listens && running && answers 2>/dev/null; then
            say "answering on 127.0.0.1:$port (pid $(cat "$pid_file"), log $log)"; return
        fi
        kill -0 "$child" 2>/dev/null || die "the server died" "$log"
        sleep 0.05
    done
    die "no answer within four minutes" "$log"
}

listens() { (: > "/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

# Processes of a group; those that are dead and that nobody has taken note of yet are none.
alive_in() {
    cat /proc/[0-9]*/stat 2>/dev/null |
        awk -v group="$1" '{ pid = $1; sub(/.*\) /, "") } $3 == group && $1 !~ /[ZX]/ { print pid }'
}

# Not asked to end but ended: asked, it waits up to half a minute for connections that a client opened in advance and
# said nothing on, and tidies up for seconds. What was committed is in SQLite's log, and whoever opens it next finds it.
stop() {
    running || { rm -f "$pid_file"; return 0; }
    local pid waited_from=$SECONDS
    pid=$(cat "$pid_file")
    kill -KILL -- "-$pid"
    while [ -n "$(alive_in "$pid")" ]; do
        [ $((SECONDS - waited_from)) -lt 120 ] || die "pid $pid outlives SIGKILL" "$log"
        sleep 0.02
    done
    rm -f "$pid_file"
    say "stopped pid $pid"
}

restore() {     # the seeded state, as a file copy; the server must be stopped
    rm -f "$data" "$data"-wal "$data"-shm
    cp "$pristine" "$data"
}
