//! systemd as far as cases need it: what `systemctl` prints and does, with its state in files below /run.
//! A service whose `ExecStart=` is /bin/false ends at once; with `Restart=always` systemd starts it again every second.
use super::disk::Body;
use super::{FakeMachine, answer, refuse};
use provision::system::{Command, Output, System, glob};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const STATE: &str = "/run/fake-systemd";
const SYSTEM: &str = "/etc/systemd/system";
/// Its version, where it is not that of Debian 12.
const VERSION: &str = "/run/fake-systemd.version";

pub fn systemctl(machine: &FakeMachine, command: &Command) -> Output {
    if command.argv[1] == "--version" {
        return answer(0, &format!("systemd {0} ({0}-1)\n", version(machine)));
    }
    let words = || command.argv[1..].iter().filter(|word| !word.starts_with('-')).map(String::as_str);
    let Some(verb) = words().next() else { return refuse(1, "") };
    let names: Vec<&str> = words().skip(1).filter(|name| !name.contains(',')).collect();
    let units = names.iter().map(|name| Unit { machine, name });
    match verb {
        "show" => answer(0, &units.map(|unit| unit.shown()).collect::<Vec<_>>().join("\n")),
        "daemon-reload" => reload_all(machine),
        "is-active" => {
            first_failure(units.map(|unit| if unit.state() == "active" { answer(0, "") } else { refuse(3, "") }))
        }
        "is-enabled" => {
            first_failure(units.map(|unit| if unit.file_state() == "enabled" { answer(0, "") } else { refuse(1, "") }))
        }
        "start" => first_failure(units.map(|unit| if unit.state() == "active" { answer(0, "") } else { unit.start() })),
        "restart" => first_failure(units.map(|unit| unit.start())),
        "reload" => first_failure(units.map(|unit| unit.reload())),
        "stop" => first_failure(units.map(|unit| unit.stop())),
        "enable" => first_failure(units.map(|unit| unit.enable())),
        "disable" => first_failure(units.map(|unit| unit.disable())),
        "mask" => first_failure(units.map(|unit| unit.mask())),
        "unmask" => first_failure(units.map(|unit| unit.unmask())),
        "list-timers" => list_timers(machine),
        "reset-failed" => first_failure(units.map(|unit| unit.reset_failed())),
        _ => refuse(1, &format!("Unknown command verb {verb}.\n")),
    }
}

pub fn journalctl(_: &FakeMachine, command: &Command) -> Output {
    let name = command.argv.iter().find_map(|word| word.strip_prefix("_SYSTEMD_UNIT=")).unwrap_or_default();
    answer(0, &format!("{name}: Main process exited, code=exited, status=1/FAILURE\n"))
}

/// Those that run, as JSON; all of them elapse at one time.
fn list_timers(machine: &FakeMachine) -> Output {
    let paths: Vec<PathBuf> = machine.disk().children(Path::new(STATE)).cloned().collect();
    let names = paths.iter().filter(|path| path.extension().is_some_and(|kind| kind == "timer"));
    let names = names.filter_map(|path| path.file_name()?.to_str());
    let active = names.filter(|name| Unit { machine, name }.state() == "active");
    let timers = active.map(|name| serde_json::json!({ "next": 1_795_262_531_000_000_u64, "last": 0, "unit": name }));
    answer(0, &serde_json::Value::from(timers.collect::<Vec<_>>()).to_string())
}

/// All are tried; the worst is told.
fn first_failure(outputs: impl Iterator<Item = Output>) -> Output {
    let outputs: Vec<Output> = outputs.collect();
    outputs.into_iter().find(|output| output.code != 0).unwrap_or_else(|| answer(0, ""))
}

struct Unit<'a> {
    machine: &'a FakeMachine,
    name: &'a str,
}

impl Unit<'_> {
    fn instance(&self) -> Option<(&str, &str, &str)> {
        let (head, tail) = self.name.split_once('@')?;
        let (instance, suffix) = tail.rsplit_once('.')?;
        Some((head, instance, suffix))
    }

    fn template(&self) -> Option<String> {
        self.instance().map(|(head, _, suffix)| format!("{head}@.{suffix}"))
    }

    fn is_masked(&self) -> bool {
        self.machine.read_link(&Path::new(SYSTEM).join(self.name)).is_ok_and(|target| target == Path::new("/dev/null"))
    }

    /// The unit file that it would be read from now.
    fn fragment(&self) -> Option<PathBuf> {
        let names = [Some(self.name.to_owned()), self.template()];
        let paths = names.into_iter().flatten().flat_map(|name| {
            [SYSTEM, "/lib/systemd/system", "/usr/lib/systemd/system"].map(|directory| Path::new(directory).join(&name))
        });
        paths.into_iter().find(|path| self.machine.disk().node(path).is_some())
    }

    fn drop_ins(&self) -> Vec<PathBuf> {
        let names = self.template().into_iter().chain([self.name.to_owned()]);
        let directories = names.map(|name| Path::new(SYSTEM).join(format!("{name}.d")));
        directories
            .flat_map(|directory| self.machine.disk().children(&directory).cloned().collect::<Vec<_>>())
            .collect()
    }

    /// The unit file and its drop-ins as they are on disk.
    fn text(&self) -> String {
        let files = self.fragment().into_iter().chain(self.drop_ins());
        files.map(|path| self.machine.text(&path.display().to_string())).collect()
    }

    fn setting(&self, key: &str) -> Option<String> {
        let found = self
            .text()
            .lines()
            .filter_map(|line| line.strip_prefix(key)?.strip_prefix('=').map(str::to_owned))
            .next_back();
        found.map(|value| value.replace("%i", self.instance().map_or("", |(_, instance, _)| instance)))
    }

    fn environment_files(&self) -> Vec<(String, bool)> {
        let text = self.text().replace("%i", self.instance().map_or("", |(_, instance, _)| instance));
        let files = text.lines().filter_map(|line| line.strip_prefix("EnvironmentFile="));
        files
            .map(|file| file.strip_prefix('-').map_or((file.to_owned(), false), |file| (file.to_owned(), true)))
            .collect()
    }

    /// What it is read from: a path and an inode a line. systemd tells by the time; a new file has a new one.
    fn definition(&self) -> String {
        let files: Vec<PathBuf> = self.fragment().into_iter().chain(self.drop_ins()).collect();
        let inode = |path: &Path| self.machine.disk().stat(path).map_or(0, |is| is.inode.1);
        files.iter().map(|path| format!("{} {}\n", path.display(), inode(path))).collect::<Vec<_>>().concat()
    }

    /// Returns the unit file that it was read from, and whether systemd sees that it would read something else: not where
    /// another file has come to go before it.
    fn read_from(&self) -> (Option<PathBuf>, bool) {
        let loaded = self.machine.text(&self.path(".loaded"));
        let Some((first, drop_ins)) = loaded.split_once('\n') else { return (self.fragment(), false) };
        let path = PathBuf::from(first.split(' ').next().unwrap_or_default());
        let is = self.machine.disk().stat(&path).map_or(0, |is| is.inode.1);
        let now = self.definition();
        let drop_ins_now = now.split_once('\n').map_or("", |(_, rest)| rest);
        let stale = format!("{} {is}", path.display()) != first || drop_ins != drop_ins_now;
        (Some(path), stale)
    }

    fn load(&self) {
        self.machine.dir(STATE);
        self.machine.file(&self.path(".loaded"), &self.definition());
    }

    fn path(&self, what: &str) -> String {
        format!("{STATE}/{}{what}", self.name)
    }

    fn ends_at_once(&self) -> bool {
        self.setting("ExecStart").is_some_and(|line| line.starts_with("/bin/false"))
    }

    fn state(&self) -> String {
        let state = self.machine.text(&self.path(""));
        state.split(' ').next().filter(|word| !word.is_empty()).unwrap_or("inactive").to_owned()
    }

    /// How often systemd has started it again.
    fn restarts(&self) -> u64 {
        let state = self.machine.text(&self.path(""));
        let since: u64 = state.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        if self.state() == "active" && self.ends_at_once() { clock(self.machine) - since } else { 0 }
    }

    /// The links that its `[Install]` section names.
    fn links(&self) -> Vec<PathBuf> {
        let (text, mut links) = (self.text(), Vec::new());
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            for word in value.split_whitespace() {
                let word = word.replace("%i", self.instance().map_or("", |(_, instance, _)| instance));
                links.extend(match key {
                    "WantedBy" => Some(format!("{SYSTEM}/{word}.wants/{}", self.name)),
                    "RequiredBy" => Some(format!("{SYSTEM}/{word}.requires/{}", self.name)),
                    "UpheldBy" if version(self.machine) >= 254 => {
                        Some(format!("{SYSTEM}/{word}.upholds/{}", self.name))
                    }
                    "Alias" => Some(format!("{SYSTEM}/{word}")),
                    _ => None,
                });
            }
        }
        links.into_iter().map(PathBuf::from).collect()
    }

    /// The links that enable it, whichever file named them: one is enough.
    fn linked(&self) -> Vec<PathBuf> {
        let disk = self.machine.disk();
        let is_of = |path: &PathBuf| match path.extension().and_then(|kind| kind.to_str()) {
            Some("wants" | "requires" | "upholds") => {
                Some(path.join(self.name)).filter(|link| disk.node(link).is_some())
            }
            _ if path.file_name().is_some_and(|name| name == self.name) => None,
            _ => disk
                .node(path)
                .filter(|node| matches!(&node.body, Body::Link(to) if to.file_name().is_some_and(|to| to == self.name)))
                .map(|_| path.clone()),
        };
        disk.children(Path::new(SYSTEM)).filter_map(is_of).collect()
    }

    fn file_state(&self) -> &'static str {
        match self.fragment() {
            _ if self.is_masked() => "masked",
            None => "",
            Some(_) if !self.linked().is_empty() => "enabled",
            Some(_) if !self.links().is_empty() => "disabled",
            Some(_) => "static",
        }
    }

    fn shown(&self) -> String {
        let (fragment, stale) = self.read_from();
        let fragment = if self.is_masked() { Some(Path::new(SYSTEM).join(self.name)) } else { fragment };
        let runs = self.state() == "active";
        let started = self.machine.disk().stat(Path::new(&self.path(""))).filter(|_| runs);
        let started = started.map_or((String::new(), 0), |stat| (timestamp(stat.modified), stat.inode.1));
        let paths =
            |paths: Vec<PathBuf>| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ");
        let yes = |is: bool| if is { "yes" } else { "no" };
        let environment = self.environment_files().into_iter();
        let environment =
            environment.map(|(file, optional)| format!("EnvironmentFiles={file} (ignore_errors={})\n", yes(optional)));
        let environment = environment.collect::<Vec<_>>().concat();
        let load = match &fragment {
            _ if self.is_masked() => "masked",
            None => "not-found",
            Some(_) => "loaded",
        };
        let invocation =
            if started.1 == 0 { String::new() } else { format!("{:032x}", started.1 * 1000 + self.restarts()) };
        format!(
            "{environment}Type={kind}\nRemainAfterExit={remain}\nResult={result}\nNRestarts={restarts}\nExecMainStartTimestamp={at}\n\
             ExecMainStatus={status}\nId={name}\nNames={name}\nLoadState={load}\nActiveState={state}\nSubState=\nFragmentPath={file}\n\
             DropInPaths={drop_ins}\nUnitFileState={file_state}\nInactiveExitTimestamp={at}\nNeedDaemonReload={stale}\nLoadError=\n\
             InvocationID={invocation}\nCanReload={reloads}\nConditionResult=yes\nTriggers=\nSourcePath=\nConflicts={conflicts}\n",
            conflicts = self.setting("Conflicts").unwrap_or_default(),
            reloads = yes(self.setting("ExecReload").is_some()),
            kind = self.setting("Type").unwrap_or_else(|| "simple".to_owned()),
            remain = self.setting("RemainAfterExit").unwrap_or_else(|| "no".to_owned()),
            result = if self.state() == "failed" { "exit-code" } else { "success" },
            status = u8::from(self.state() == "failed"),
            restarts = self.restarts(),
            at = started.0,
            name = self.name,
            state = self.state(),
            file = paths(fragment.into_iter().collect()),
            drop_ins = paths(self.drop_ins()),
            file_state = self.file_state(),
            stale = yes(stale),
        )
    }

    fn start(&self) -> Output {
        if self.is_masked() {
            return refuse(1, &format!("Failed to start {0}: Unit {0} is masked.\n", self.name));
        }
        if self.fragment().is_none() {
            return refuse(5, &format!("Failed to start {0}: Unit {0} not found.\n", self.name));
        }
        self.machine.dir(STATE);
        if self.machine.text(&self.path(".loaded")).is_empty() {
            self.load();
        }
        let missing = |(file, optional): &(String, bool)| {
            let found = glob::expand(self.machine, Path::new(file)).unwrap_or_default();
            !optional && !found.iter().any(|path| self.machine.disk().node(path).is_some())
        };
        let lacks = self.environment_files().iter().any(missing);
        let forks = self.setting("Type").is_none_or(|kind| kind == "simple");
        let again = self.setting("Restart").is_some_and(|when| when == "always");
        let falls = lacks || (self.ends_at_once() && !again);
        // Like a start, a new file: its time is the start's.
        let path = self.path("");
        self.machine.disk().remove_tree(Path::new(&path));
        let state = if falls { "failed" } else { "active" };
        self.machine.file(&self.path(""), &format!("{state} {}", clock(self.machine)));
        if lacks || (falls && !forks) {
            let why = "the control process exited with error code";
            return refuse(1, &format!("Job for {} failed because {why}.\n", self.name));
        }
        answer(0, "")
    }

    fn reload(&self) -> Output {
        if self.setting("ExecReload").is_some() {
            return answer(0, "");
        }
        refuse(1, &format!("Failed to reload {0}: Job type reload is not applicable for unit {0}.\n", self.name))
    }

    fn stop(&self) -> Output {
        self.machine.disk().remove_tree(Path::new(&self.path("")));
        // Nothing needs it any more, so systemd forgets it.
        if self.file_state() != "enabled" {
            self.machine.disk().remove_tree(Path::new(&self.path(".loaded")));
        }
        answer(0, "")
    }

    fn enable(&self) -> Output {
        let Some(fragment) = self.fragment().filter(|_| !self.is_masked()) else {
            return refuse(1, &format!("Failed to enable unit: Unit file {} does not exist.\n", self.name));
        };
        if self.file_state() == "static" {
            return answer(0, "The unit files have no installation config\n");
        }
        for link in self.links() {
            self.machine.dir(&link.parent().expect("it is below a directory").display().to_string());
            self.machine.disk().put(&link, Body::Link(fragment.clone()), 0, 0, 0o777).expect("its directory is there");
        }
        self.load();
        reload_all(self.machine)
    }

    fn disable(&self) -> Output {
        if self.is_masked() {
            return answer(0, &format!("Unit {SYSTEM}/{} is masked, ignoring.\n", self.name));
        }
        if self.fragment().is_none() {
            return refuse(1, &format!("Failed to disable unit: Unit file {} does not exist.\n", self.name));
        }
        for link in self.linked() {
            self.machine.disk().remove_tree(&link);
        }
        reload_all(self.machine)
    }

    fn mask(&self) -> Output {
        let path = Path::new(SYSTEM).join(self.name);
        if self.machine.disk().node(&path).is_some() {
            return refuse(1, &format!("Failed to mask unit: File {} already exists.\n", path.display()));
        }
        self.machine.disk().put(&path, Body::Link("/dev/null".into()), 0, 0, 0o777).expect("its directory is there");
        answer(0, "")
    }

    fn unmask(&self) -> Output {
        if self.is_masked() {
            self.machine.disk().remove_tree(&Path::new(SYSTEM).join(self.name));
        }
        answer(0, "")
    }

    fn reset_failed(&self) -> Output {
        match self.state().as_str() {
            "failed" => self.stop(),
            "active" => answer(0, ""),
            _ => refuse(1, &format!("Failed to reset failed state of unit {0}: Unit {0} not loaded.\n", self.name)),
        }
    }
}

fn reload_all(machine: &FakeMachine) -> Output {
    let loaded: Vec<PathBuf> = machine.disk().children(Path::new(STATE)).cloned().collect();
    for path in loaded {
        let name = path.file_name().expect("a child has a name").to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".loaded") else { continue };
        let unit = Unit { machine, name };
        if machine.text(&path.display().to_string()) != unit.definition() {
            unit.load();
        }
    }
    answer(0, "")
}

fn version(machine: &FakeMachine) -> u32 {
    machine.text(VERSION).trim().parse().unwrap_or(252)
}

fn clock(machine: &FakeMachine) -> u64 {
    machine.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// The fake disk's times are all in January 1970.
fn timestamp(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let (day, rest) = (1 + seconds / 86_400, seconds % 86_400);
    format!("Mon 1970-01-{day:02} {:02}:{:02}:{:02}.000000 UTC", rest / 3600, rest / 60 % 60, rest % 60)
}
