//! `provision` killed at every call by which it changes something, then run again, and looked at: as if nothing had been.
//! strace(1) kills it, so that no part of it knows. For a disposable machine.
#![allow(clippy::print_stdout, reason = "it says how far it is")]
use super::pristine::below;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// By which something changes. A program that is started is there twice: before it is, and once it runs.
const CALLS: &str = "clone,clone3,vfork,pidfd_open,openat,openat2,mkdir,mkdirat,write,pwrite64,writev,ftruncate,fallocate,\
                     copy_file_range,sendfile,fsync,fdatasync,flock,rename,renameat,renameat2,link,linkat,symlink,symlinkat,\
                     unlink,unlinkat,rmdir,chmod,fchmod,fchmodat,chown,fchown,fchownat,lchown,setxattr,fsetxattr,\
                     fremovexattr,utimensat,mount";
const STATE: &str = "/var/lib/provision";
/// What is looked into.
const READ: [&str; 4] = ["/etc", "/home", "/srv", "/var/lib/nfs"];
/// Where nothing may be left besides; a container among them that is made and never runs.
const LISTED: [&str; 6] = ["/opt", "/root", "/tmp", "/usr/local", "/var/lib/lxc/410", STATE];

/// Which process is killed.
#[derive(Debug, Clone, Copy)]
pub enum Victim {
    /// The one that somebody runs on the host.
    Host,
    /// The one in a container that works for it.
    Agent,
}

/// What is done in a world over and over.
pub struct Turn<'a> {
    pub what: &'a str,
    /// A shell script that makes the world before it, whatever the turn before left.
    pub before: &'a str,
    /// The arguments of `provision`.
    pub run: &'a str,
}

/// A call of a run, and how many of its name there are up to it.
struct Point {
    call: String,
    count: usize,
    shown: String,
    /// It and the two before it, as they are each time.
    place: [String; 3],
}

pub struct Sweep {
    /// A point that was there in another turn already is there again.
    every: bool,
    victim: Victim,
    /// The roots that are looked at: the victim's is the last.
    roots: &'static [&'static str],
    seen: BTreeSet<[String; 3]>,
    pub kills: usize,
    pub broken: Vec<String>,
}

impl Sweep {
    pub fn new(every: bool, victim: Victim, roots: &'static [&'static str]) -> Self {
        Self { every, victim, roots, seen: BTreeSet::new(), kills: 0, broken: Vec::new() }
    }

    /// Kills a turn at each of its points, and has each made good.
    pub fn over(&mut self, turn: &Turn<'_>) {
        sh(turn.before).unwrap();
        let (said, trace) = self.traced(turn, None);
        let whole = look(self.roots);
        is_at_rest(turn).unwrap_or_else(|why| panic!("{}: {said}\n{why}", turn.what));
        let all = points(&trace, self.victim);
        let (count, mut tried, mut kills) = (all.len(), 0, 0);
        assert!(count > 5, "{}: {count} points only: {said}\n{trace}", turn.what);
        for point in all {
            if !self.seen.insert(point.place.clone()) && !self.every {
                continue;
            }
            tried += 1;
            let made_good = sh(turn.before).and_then(|_| {
                let (said, trace) = self.traced(turn, Some(&point));
                // A run that finds what an earlier one left may make some more calls, or fewer.
                kills += usize::from(trace.contains("killed by SIGKILL"));
                is_made_good(turn, &whole, self.roots).map_err(|why| format!("{said}\n{why}"))
            });
            if let Err(why) = made_good {
                let Point { call, count, shown, .. } = point;
                self.broken.push(format!("{}, killed at {call} {count}, `{shown}`: {why}", turn.what));
            }
        }
        println!("{}: {count} points, {tried} tried, killed {kills} times", turn.what);
        assert!(kills * 10 >= tried * 9, "{}: it was killed too seldom", turn.what);
        self.kills += kills;
    }

    /// Runs a turn, killed where that is said. Returns what it says and its calls.
    fn traced(&self, turn: &Turn<'_>, point: Option<&Point>) -> (String, String) {
        let root = match self.victim {
            Victim::Host => Path::new("/"),
            Victim::Agent => Path::new(self.roots[self.roots.len() - 1]),
        };
        let trace = root.join("var/tmp/sweep.trace");
        let _none = fs::remove_file(&trace);
        let kill = point.map(|Point { call, count, .. }| format!(" -e inject={call}:signal=KILL:when={count}"));
        let options = format!("-qq -y -s 0 -o /var/tmp/sweep.trace -e trace={CALLS}{}", kill.unwrap_or_default());
        let said = match self.victim {
            Victim::Host => {
                let line = format!("strace {options} provision {}", turn.run);
                said(Command::new("env").args(line.split_whitespace()), turn.run)
            }
            Victim::Agent => {
                fs::write(root.join("var/tmp/sweep.options"), options).unwrap();
                run(&format!("provision {}", turn.run))
            }
        };
        (said.unwrap_or_else(|said| said), fs::read_to_string(trace).unwrap_or_default())
    }
}

/// From now on the agent of a container is started through a script of ours, which has it traced where that is asked for.
pub fn trace_agent(id: u32) {
    let root = format!("/var/lib/lxc/{id}/rootfs");
    let wrapper = "#!/bin/sh\nreal=/run/provision/real\n\
                   options=$(cat /var/tmp/sweep.options 2>/dev/null) || exec $real \"$@\"\n\
                   rm /var/tmp/sweep.options\nexec strace $options $real \"$@\"\n";
    fs::write("/run/wrapper", wrapper).unwrap();
    let script = format!(
        "cp /usr/bin/strace {root}/usr/bin/
         ldd /usr/bin/strace | sed -n 's/.*=> \\(.*\\) (.*/\\1/p' | while read -r lib; do
             [ -e {root}$lib ] || cp -L $lib {root}$lib
         done
         chmod 1777 {root}/var/tmp
         lxc-attach -n {id} -- sh -ec 'cd /run/provision; for it in ????????????????????????????????????????????????????????????????; do
             mv $it real; cat >$it; chmod 755 $it; done' </run/wrapper"
    );
    sh(&script).unwrap();
}

fn points(trace: &str, victim: Victim) -> Vec<Point> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut before = [String::new(), String::new()];
    let mut points = Vec::new();
    for line in trace.lines() {
        let Some((call, _)) = line.split_once('(').filter(|(call, _)| CALLS.split(',').any(|one| one == *call)) else {
            continue;
        };
        let count = counts.entry(call).or_default();
        *count += 1;
        let reads = call.starts_with("open") && !line.contains("O_CREAT");
        let says = matches!(victim, Victim::Host) && (line.starts_with("write(1<") || line.starts_with("write(2<"));
        if reads || says || line.contains(" = -1 ") {
            continue;
        }
        let shown = line.rsplit_once(" = ").map_or(line, |(call, _)| call.trim_end());
        let same: String = shown.chars().filter(|letter| !letter.is_ascii_digit()).collect();
        let [first, second] = before;
        points.push(Point {
            call: call.to_owned(),
            count: *count,
            shown: shown.to_owned(),
            place: [first, second.clone(), same.clone()],
        });
        before = [second, same];
    }
    points
}

/// What holds after a turn that was killed.
fn is_made_good(turn: &Turn<'_>, whole: &Look, roots: &[&str]) -> Result<(), String> {
    run(&format!("provision {}", turn.run))?;
    let found = look(roots);
    is_at_rest(turn)?;
    run("provision ledger verify")?;
    // What a program printed, and the stamp of a start, may be lost with the run that was killed.
    let lost =
        |path: &Path| !found.contains_key(path) && roots.iter().any(|root| path.starts_with(in_root(root, STATE)));
    let all: BTreeSet<&PathBuf> = whole.keys().chain(found.keys()).collect();
    let differing = all.into_iter().filter(|path| whole.get(*path) != found.get(*path) && !lost(path));
    let say = |look: &Look, path| {
        look.get(path)
            .map_or("nothing".to_owned(), |(is, content)| format!("{is} `{}`", String::from_utf8_lossy(content)))
    };
    let differing: Vec<String> =
        differing.map(|path| format!("{}: {} -> {}", path.display(), say(whole, path), say(&found, path))).collect();
    if differing.is_empty() { Ok(()) } else { Err(differing.join("\n")) }
}

/// One more run finds nothing to do.
fn is_at_rest(turn: &Turn<'_>) -> Result<(), String> {
    let said = run(&format!("provision {}", turn.run))?;
    let rest =
        ["applied: 0 changed", "destroyed: 0 taken away", " is the latest\n"].iter().any(|rest| said.contains(rest));
    if rest { Ok(()) } else { Err(format!("the second run after it: {said}")) }
}

/// Kind, mode and owner; content.
type Shown = (String, Vec<u8>);
type Look = BTreeMap<PathBuf, Shown>;

fn in_root(root: &str, path: &str) -> PathBuf {
    Path::new(root).join(path.trim_start_matches('/'))
}

/// Returns all there is, without times.
fn look(roots: &[&str]) -> Look {
    let mut look = Look::new();
    for root in roots {
        let below = |places: &[&str]| {
            let places: Vec<String> = places.iter().map(|place| in_root(root, place).display().to_string()).collect();
            below(&places.iter().map(String::as_str).collect::<Vec<_>>()).into_keys()
        };
        // What the tools for accounts keep of the version before.
        let read = below(&READ).filter(|path| !path.as_os_str().as_encoded_bytes().ends_with(b"-"));
        look.extend(read.map(|path| (path.clone(), shown(&path))));
        // Of what programs printed there is a file for each run; what the ledger adds up to is written once that is long.
        let (runs, sum) = (in_root(root, STATE).join("runs"), in_root(root, STATE).join("claims.json"));
        let listed = below(&LISTED).filter(|path| path.parent() != Some(&runs) && *path != sum);
        look.extend(listed.map(|path| (path, Shown::default())));
    }
    look
}

/// Shows what stands there; not the content of what git writes for itself.
fn shown(path: &Path) -> Shown {
    let Ok(is) = path.symlink_metadata() else { return Shown::default() };
    let content = match fs::read_link(path) {
        Ok(target) => target.into_os_string().into_encoded_bytes(),
        Err(_) if is.is_file() && !path.iter().any(|part| part == ".git") => fs::read(path).unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    (format!("{:o} {}:{}", is.mode(), is.uid(), is.gid()), content)
}

/// Runs a program, which must succeed, and returns what it says.
fn run(line: &str) -> Result<String, String> {
    said(Command::new("env").args(line.split_whitespace()), line)
}

/// Runs a shell script, which must succeed.
pub fn sh(script: &str) -> Result<String, String> {
    said(Command::new("sh").args(["-ec", script]), script)
}

fn said(command: &mut Command, line: &str) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(text) } else { Err(format!("{line}: {}: {text}", output.status)) }
}
