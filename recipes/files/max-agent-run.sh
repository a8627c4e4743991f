#!/bin/sh
# Runs one agent inside a tmux session of its own and lives exactly as long as it: the main process of max-agent@.service.
#
#   max-agent-run.sh PROGRAM
#
# It starts the tmux server max-PROGRAM with one session in the current directory, and exits with the agent's exit status;
# 127 if there is no such program. TERM is passed on to the agent; if it takes more than 8 seconds to leave, its terminal
# goes, and 3 seconds later it is killed. The terminal's output goes to ~/logs/PROGRAM.log, and what was there before it to
# PROGRAM.log.1.
set -eu

say() {
	printf 'max-agent-run: %s\n' "$1" >&2
}

# The process in the pane. It holds the status pipe open while the agent lives, so the pipe's end is the agent's end even if
# this shell is killed. It catches the signals that are meant for the agent, which gets them too, to be there afterwards.
if [ "${1-}" = --pane ] && [ $# = 3 ]; then
	lost=0
	trap 'lost=129' HUP
	trap : INT QUIT TERM
	exec 9>"$2"
	status=0
	"$3" 9>&- || status=$?
	[ "$status" != 0 ] || status=$lost # an agent whose terminal was taken away did not leave on purpose
	echo "$status" >&9
	exit "$status"
fi

# What copies the terminal's output: two files of about 10 MB at most, for a busy screen writes without end.
if [ "${1-}" = --log ] && [ $# = 2 ]; then
	while head -c 5000000 >>"$2" && [ "$(wc -c <"$2")" -ge 5000000 ]; do
		mv -f "$2" "$2.1"
	done
	exit 0
fi

[ $# = 1 ] || {
	say "usage: max-agent-run.sh PROGRAM"
	exit 2
}
program=$1
case $program in
'' | -* | *[!A-Za-z0-9._-]*)
	say "not a program's name: $program"
	exit 2
	;;
esac
command -v "$program" >/dev/null || {
	say "\`$program\` is not installed (looked in $PATH)"
	exit 127
}
server=max-$program
directory=${RUNTIME_DIRECTORY:?is set by systemd}
if tmux -L "$server" list-sessions >/dev/null 2>&1; then
	say "a tmux server $server is running outside this unit; end it with \`tmux -L $server kill-server\`"
	exit 1
fi

log=$HOME/logs/$program.log
mkdir -p "$HOME/logs"

pipe=$directory/pipe
rm -f "$pipe"
mkfifo -m 0600 "$pipe"
cat "$pipe" >"$directory/status" &
reader=$!

pane=
stopping=
stop() {
	stopping=yes
	[ -n "$pane" ] || return 0
	kill -s TERM -- "-$pane" 2>/dev/null || true
	(
		trap - HUP INT TERM
		timeout -s KILL 8 tmux -L "$server" wait-for never || true # a tmux client is deaf to TERM
		tmux -L "$server" kill-server
	) >/dev/null 2>&1 &
}
trap stop HUP INT TERM

# All in one message to the server, so that the log has the first line too and the user's own ~/.tmux.conf, which is read
# before, can change how it looks but not when it ends.
pane=$(tmux -u -L "$server" \
	new-session -d -P -F '#{pane_pid}' -s "$program" -x 200 -y 50 -c "$PWD" "$0" --pane "$pipe" "$program" \; \
	set-option -s exit-empty on \; set-option -g remain-on-exit off \; set-option -g destroy-unattached off \; \
	pipe-pane "exec '$0' --log '$log'") || {
	say "tmux could not start a session"
	kill "$reader"
	exit 1
}
[ -z "$stopping" ] || stop
if [ -n "${NOTIFY_SOCKET-}" ]; then
	systemd-notify --ready --status="$program in tmux, process group $pane"
fi

# An agent must not outlive its terminal: `wait-for` returns when the server is gone.
(
	trap - HUP INT TERM
	tmux -L "$server" wait-for never >/dev/null 2>&1 || true
	for _ in 1 2 3; do
		kill -s 0 -- "-$pane" || exit 0
		sleep 1
	done
	kill -s KILL -- "-$pane"
) 2>/dev/null &

# A signal cuts a wait short.
while kill -0 "$reader" 2>/dev/null; do
	wait "$reader" || true
done
read -r status <"$directory/status" || status=
tmux -L "$server" kill-server 2>/dev/null || true
wait # for what watched over it

if [ -n "$stopping" ]; then
	say "$program was stopped (status ${status:-unknown})"
	exit 0
fi
say "$program ended with status ${status:-unknown}"
exit "${status:-1}"
