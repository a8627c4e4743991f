//! The program killed at every call by which it rotates its ledger, then run again: one ledger, whole, that forgot nothing.
//! strace(1) kills it, so that no part of it knows.
use crate::lab::Lab;
use crate::support::run::{finished, id, ledger_of, start};
use provision::engine::Tally;
use provision::event::{Event, Outcome, Sink};
use provision::id::Machine;
use provision::report::Silent;
use provision::resource::Change;
use std::path::Path;

const RECIPE: &str = "
name = \"web\"
[[directory]]
path = \"/srv/made\"
";

/// Kills an apply at the nth of each call, for each n, each time with a ledger that is due; looks at what is left; runs it
/// again, and has it take away what only its ledger knows to be its own.
const SWEEP: &str = r"
state=/var/lib/provision
before() { rm -rf $state; cp -r /root/due $state; mkdir -p /srv/made; }
fail() { echo killed at $call $n: $1; cat /tmp/out; ls -l $state; exit 1; }
look() {
  provision ledger verify >/tmp/out 2>&1 || fail 'it does not verify'
  provision history >/tmp/out 2>&1 || fail 'there is no history'
  grep -q '^PROVISION-APPLY20261120-001 ' /tmp/out || fail 'the first run is lost'
}
killed=0 rotated=0
for call in flock fallocate write fsync fdatasync link linkat rename renameat renameat2 unlink unlinkat ftruncate; do
  n=1
  while before; ! strace -f -qq -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=$n \
    provision apply --yes /root/r.toml >/tmp/out 2>&1
  do
    look
    if head -c 200 $state/ledger.jsonl | grep -q rotated; then rotated=$((rotated + 1)); fi
    provision apply --yes /root/r.toml >/tmp/out 2>&1 || fail 'it does not go on'
    cmp /root/due/ledger.jsonl $state/ledger-0001.jsonl >/tmp/out 2>&1 || fail 'the old file is another'
    ls $state | grep -e new -e 0002 >/tmp/out && fail 'something is left over'
    look
    provision destroy --yes /root/r.toml >/tmp/out 2>&1 || fail 'it does not destroy'
    test ! -e /srv/made || fail 'it is forgotten what is ours'
    n=$((n + 1)); killed=$((killed + 1))
  done
done
echo $killed $rotated
";

/// Makes a ledger that is due to be rotated, in which `/srv/made` is ours.
fn due(state: &Path, host: &str) {
    let hub = start(state, "apply", Box::new(Silent));
    hub.identify(Machine::Host, host).expect("recorded");
    let emit = |of: &str, changes: Vec<Change>| {
        let of = id(of);
        hub.emit(Event::Applying { ids: vec![of.clone()], changes, absent: false }).expect("recorded");
        hub.emit(finished(&of, Outcome::Changed { changes: Vec::new() })).expect("recorded");
    };
    emit("directory:/srv/made", vec![Change::made("/srv/made", "root:root 0755")]);
    let value = "x".repeat(1000);
    let large = (0..1000).map(|field| Change::field("/x", (field % 10).to_string(), None, Some(value.clone())));
    let large: Vec<Change> = large.collect();
    for _ in 0..17 {
        emit("file:/x", large.clone());
    }
    hub.end(0, &Tally::default()).expect("recorded");
}

#[test]
fn a_rotation_comes_through_a_kill_at_every_call() {
    let lab = Lab::up(&["strace"]);
    lab.put(Path::new(env!("CARGO_BIN_EXE_provision")), "/usr/local/bin/provision");
    lab.write("/root/r.toml", RECIPE);
    let dir = tempfile::tempdir().expect("a directory");
    let state = dir.path().join("state");
    due(&state, lab.sh("cat /etc/machine-id").trim());
    for file in [ledger_of(&state), state.join("key"), state.join("claims.json")] {
        let name = file.file_name().expect("it has one").display().to_string();
        lab.put(&file, &format!("/root/due/{name}"));
    }
    lab.sh("chmod 700 /root/due");
    let said = lab.sh(SWEEP);
    let (killed, rotated) = said.trim().split_once(' ').expect("two numbers");
    println!("killed at each of {killed} calls, {rotated} of them after the rotation, and run again");
    let (killed, rotated): (u32, u32) = (killed.parse().expect("a number"), rotated.parse().expect("a number"));
    assert!(rotated > 5 && killed > rotated + 5, "{said}");
}
