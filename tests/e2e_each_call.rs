//! The program killed at every call by which it writes files, links and directories, then run again: as if nothing had been.
//! strace(1) kills it, so that no part of it knows.
use crate::lab::Lab;
use std::path::Path;

const RECIPE: &str = r#"
name = "killed"

[[directory]]
path  = ["/srv/t/made", "/srv/t/made/inner"]
owner = 1234
group = 27
mode  = "2770"

[[directory]]
path = "/srv/t/there"
mode = "0700"
owner = 1234

[[file]]
path    = "/srv/t/made/new"
content = "new"
owner   = 1234
mode    = "4750"

[[file]]
path    = "/srv/t/theirs"
content = "ours"

[[file]]
path = "/srv/t/made/link"
link = "new"

[[file]]
path = "/srv/t/theirs-link"
link = "elsewhere"

[[file]]
path  = "/srv/t/metadata"
owner = 1234
mode  = "0600"
"#;

/// Makes the world before, in which another has left things at some of the paths.
const BEFORE: &str = "
rm -rf /srv/t /var/lib/provision
mkdir -p /srv/t/there
printf theirs >/srv/t/theirs; chown 7:8 /srv/t/theirs; chmod 2640 /srv/t/theirs
ln -s theirs /srv/t/theirs-link
printf x >/srv/t/metadata; chmod 0666 /srv/t/metadata
";

/// Says all there is of it, without times.
const SAY: &str = r"
say() { (cd /srv/t; find . -printf '%p %y %m %U %G %l\n' -type f -exec sha256sum {} \; ; cd /var/lib/provision; \
  find kept -printf '%p %y %m %U %G %l\n' 2>/dev/null) | sort; }
";

/// Kills `$1` at the nth of each such call, for each n, each time in the world that `before` makes; then runs it again.
const SWEEP: &str = r"
run() { provision $1 --yes /root/t.toml >/tmp/out 2>&1 || { cat /tmp/out; echo killed at $call $n: it fails; exit 1; }; }
before >/dev/null; run $1; say >/tmp/whole
killed=0
for call in mkdirat symlinkat openat fchown fchownat fchmod chmod fchmodat flock fsync renameat renameat2 unlinkat; do
  n=1
  while before >/dev/null; ! strace -f -qq -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=$n \
    provision $1 --yes /root/t.toml >/tmp/out 2>&1
  do
    run $1; say >/tmp/again
    diff /tmp/whole /tmp/again || { echo killed at $call $n: the difference is above; exit 1; }
    run $1; say | diff /tmp/whole - || { echo killed at $call $n: not at rest; exit 1; }
    n=$((n + 1)); killed=$((killed + 1))
  done
done
echo $killed
";

#[test]
fn files_and_directories_come_through_a_kill_at_every_call() {
    let lab = Lab::up(&["strace"]);
    lab.put(Path::new(env!("CARGO_BIN_EXE_provision")), "/usr/local/bin/provision");
    lab.write("/root/t.toml", RECIPE);
    let sweep = |command: &str, first: &str| {
        let before = format!("before() {{ {BEFORE}\n{first}\n}}");
        let killed = lab.sh(&format!("{SAY}\n{before}\nset -- {command}\n{SWEEP}"));
        let killed: u32 = killed.trim().parse().expect("a number of kills");
        println!("{command}: killed at each of {killed} calls, and run again");
        assert!(killed > 20, "{killed} only");
    };
    sweep("apply", "");
    sweep("destroy", "provision apply --yes /root/t.toml");
    // What was there before us is there again.
    let left = lab.sh(&format!(
        "{SAY}\nbefore() {{ {BEFORE} }}\nbefore\nsay >/tmp/before\nprovision apply --yes /root/t.toml >&2\n\
        provision destroy --yes /root/t.toml >&2\nsay | diff /tmp/before - || true"
    ));
    let still: Vec<&str> = left.lines().filter(|line| line.starts_with(['<', '>'])).collect();
    println!("{left}");
    assert!(still.iter().all(|line| ["metadata", "there", " kept "].iter().any(|path| line.contains(path))), "{left}");
}
