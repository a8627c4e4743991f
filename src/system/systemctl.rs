//! What systemd says of units: the output of `systemctl show`, and the few words of a unit file that matter before it is loaded.
use super::{Command, System};
use crate::error::Result;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Where a person's unit files are.
pub const UNIT_DIRECTORY: &str = "/etc/systemd/system";

/// Where unit files are looked for, in order.
const SEARCH_PATH: [&str; 5] = [
    UNIT_DIRECTORY,
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/lib/systemd/system",
    "/usr/lib/systemd/system",
];

const PROPERTIES: &str = "Id,Names,LoadState,LoadError,ActiveState,SubState,UnitFileState,FragmentPath,DropInPaths,\
    EnvironmentFiles,InvocationID,NRestarts,NeedDaemonReload,InactiveExitTimestamp,ExecMainStartTimestamp,Result,\
    ExecMainStatus,Type,RemainAfterExit";

/// The units of one `systemctl show`.
#[derive(Debug, Default)]
pub struct Units {
    /// systemd runs here; without it nothing is known of any unit.
    pub running: bool,
    by_name: HashMap<String, Arc<Unit>>,
}

/// A unit as systemd sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unit {
    /// Its names: its own and its aliases.
    pub names: Vec<String>,
    /// `loaded`, `not-found`, `masked`, `bad-setting`, `error`.
    pub load: String,
    /// Why it could not be loaded.
    pub load_error: String,
    /// `active`, `reloading`, `inactive`, `failed`, `activating`, `deactivating`.
    pub active: String,
    /// `running`, `exited`, `auto-restart`, …
    pub sub: String,
    /// `enabled`, `disabled`, `static`, `masked`, …; empty where there is no file.
    pub file_state: String,
    /// Its unit file.
    pub fragment: Option<PathBuf>,
    /// Its drop-ins.
    pub drop_ins: Vec<PathBuf>,
    /// The files of `EnvironmentFile=`.
    pub environment_files: Vec<PathBuf>,
    /// Differs with each start.
    pub invocation: String,
    /// How often `Restart=` has started it again.
    pub restarts: u64,
    /// Its files changed since systemd read them.
    pub needs_reload: bool,
    /// When it was last started.
    pub started: Option<SystemTime>,
    /// `success`, `exit-code`, `signal`, …
    pub result: String,
    /// The exit code or signal of its main process.
    pub status: String,
    /// It is done once its command ends, and is then inactive.
    pub ends_by_itself: bool,
}

impl Units {
    /// Returns what is known of a unit.
    pub fn get(&self, name: &str) -> Option<&Arc<Unit>> {
        self.by_name.get(name)
    }
}

impl Unit {
    /// Returns whether systemd has it, masked or not.
    pub fn exists(&self) -> bool {
        !matches!(self.load.as_str(), "" | "not-found")
    }

    /// Returns whether it runs, or does what stands for running.
    pub fn is_active(&self) -> bool {
        matches!(self.active.as_str(), "active" | "reloading" | "refreshing")
    }

    /// Returns whether it is stopped, by itself or not.
    pub fn is_stopped(&self) -> bool {
        matches!(self.active.as_str(), "" | "inactive" | "failed" | "deactivating")
    }

    /// Returns whether it is masked.
    pub fn is_masked(&self) -> bool {
        self.load == "masked" || self.file_state.starts_with("masked")
    }

    /// Returns its state with the reason, as `failed (exit-code, status 203)`.
    pub fn shown_state(&self) -> String {
        match (self.active.as_str(), self.result.as_str()) {
            ("", _) => "inactive".to_owned(),
            ("failed", result) => format!("failed ({result}, status {})", self.status),
            ("activating", _) => format!("activating ({})", self.sub),
            (state, _) => state.to_owned(),
        }
    }
}

/// Reads the state of units in one go. Where systemd does not run, nothing is known and that is no error.
pub fn show<'a>(sys: &dyn System, names: impl IntoIterator<Item = &'a str>) -> Result<Units> {
    let running = matches!(sys.lstat(Path::new("/run/systemd/system")), Ok(Some(_)));
    // A template has no state of its own; systemctl refuses to be asked.
    let names: BTreeSet<&str> = names.into_iter().filter(|name| !name.contains("@.")).collect();
    if !running || names.is_empty() {
        return Ok(Units { running, by_name: HashMap::new() });
    }
    let command = Command::new(["systemctl", "show", "--no-pager", "--timestamp=us", "--property", PROPERTIES, "--"]);
    let mut command = command.env("TZ", "UTC").timeout(Duration::from_mins(1));
    command.argv.extend(names.iter().map(|name| (*name).to_owned()));
    let output = sys.run(&command)?.success(&command)?.text();
    let units: Vec<Arc<Unit>> = parse_show(&output).into_iter().map(Arc::new).collect();
    let find = |name: &str| units.iter().find(|unit| unit.names.iter().any(|known| known == name)).cloned();
    let by_name = names.into_iter().filter_map(|name| Some((name.to_owned(), find(name)?))).collect();
    Ok(Units { running, by_name })
}

/// Returns the unit file of a name, or that of its template, where systemd would find it.
pub fn unit_file(sys: &dyn System, name: &str, template: Option<&str>) -> io::Result<Option<PathBuf>> {
    for name in [Some(name), template].into_iter().flatten() {
        for directory in SEARCH_PATH {
            let path = Path::new(directory).join(name);
            if sys.lstat(&path)?.is_some() {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

/// Parses `systemctl show`: a block of `Key=value` lines a unit, an empty line between them.
pub fn parse_show(text: &str) -> Vec<Unit> {
    text.split("\n\n").filter(|block| !block.trim().is_empty()).map(parse_block).collect()
}

fn parse_block(block: &str) -> Unit {
    let mut unit = Unit::default();
    let (mut main_start, mut exit_of_inactive, mut oneshot, mut remains) = (None, None, false, false);
    for (key, value) in block.lines().filter_map(|line| line.split_once('=')) {
        match key {
            "Id" => unit.names.insert(0, value.to_owned()),
            "Names" => unit.names.extend(value.split(' ').map(str::to_owned)),
            "LoadState" => value.clone_into(&mut unit.load),
            "LoadError" => value.clone_into(&mut unit.load_error),
            "ActiveState" => value.clone_into(&mut unit.active),
            "SubState" => value.clone_into(&mut unit.sub),
            "UnitFileState" => value.clone_into(&mut unit.file_state),
            "FragmentPath" => unit.fragment = (!value.is_empty()).then(|| value.into()),
            "DropInPaths" => unit.drop_ins = parse_words(value).into_iter().map(PathBuf::from).collect(),
            "EnvironmentFiles" => {
                let path = value.rsplit_once(" (ignore_errors=").map_or(value, |(path, _)| path);
                unit.environment_files.push(path.into());
            }
            "InvocationID" => value.clone_into(&mut unit.invocation),
            "NRestarts" => unit.restarts = value.parse().unwrap_or(0),
            "NeedDaemonReload" => unit.needs_reload = value == "yes",
            "ExecMainStartTimestamp" => main_start = parse_timestamp(value),
            "InactiveExitTimestamp" => exit_of_inactive = parse_timestamp(value),
            "Result" => value.clone_into(&mut unit.result),
            "ExecMainStatus" => value.clone_into(&mut unit.status),
            "Type" => oneshot = value == "oneshot",
            "RemainAfterExit" => remains = value == "yes",
            _ => {}
        }
    }
    unit.started = main_start.or(exit_of_inactive);
    unit.ends_by_itself = oneshot && !remains;
    unit
}

/// Parses words separated by blanks; one with a blank in it is quoted, and `\` escapes the next character.
pub fn parse_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quoted, mut open) = (String::new(), false, false);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => (quoted, open) = (!quoted, true),
            '\\' => word.extend(characters.next()),
            ' ' if !quoted => {
                if open || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                open = false;
            }
            _ => word.push(character),
        }
    }
    if open || !word.is_empty() {
        words.push(word);
    }
    words
}

/// Parses `Sat 2026-11-21 00:27:53.382021 UTC`; the fraction may be missing.
pub fn parse_timestamp(text: &str) -> Option<SystemTime> {
    let mut words = text.split(' ').skip(1);
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    if zone != "UTC" {
        return None;
    }
    let mut date = date.split('-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut time = time.split(':').map(str::parse::<u64>);
    let (hour, minute, second) = (time.next()?.ok()?, time.next()?.ok()?, time.next()?.ok()?);
    let seconds = u64::try_from(days_since_epoch(year, month, day)).ok()? * 86_400 + hour * 3600 + minute * 60 + second;
    let nanos = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    Some(SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos))
}

/// Returns the days from 1970-01-01 in the Gregorian calendar; years begin in March, so that the leap day is the last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Returns the last value of a key in a section of a unit file.
pub fn parse_setting<'a>(file: &'a str, section: &str, key: &str) -> Option<&'a str> {
    let mut inside = false;
    let mut found = None;
    for line in file.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = name == section;
        } else if let Some((name, value)) = line.split_once('=').filter(|_| inside)
            && name.trim_end() == key
        {
            found = Some(value.trim_start());
        }
    }
    found
}

/// Returns whether a unit file has an `[Install]` section, without which it can't be enabled.
pub fn can_be_enabled(file: &str) -> bool {
    file.lines().any(|line| line.trim() == "[Install]")
}

/// Returns whether a unit file's service is done once its command ends.
pub fn ends_by_itself(file: &str) -> bool {
    let setting = |key| parse_setting(file, "Service", key);
    let remains = setting("RemainAfterExit").is_some_and(|value| matches!(value, "yes" | "true" | "on" | "1"));
    setting("Type") == Some("oneshot") && !remains
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOW: &str = "\
Type=simple
RemainAfterExit=no
Result=success
NRestarts=2
ExecMainStartTimestamp=Sat 2026-11-21 00:27:53.382021 UTC
ExecMainStatus=0
EnvironmentFiles=/etc/demo.env (ignore_errors=no)
EnvironmentFiles=/etc/demo one.env (ignore_errors=yes)
Id=demo@one.service
Names=demo@one.service
LoadState=loaded
ActiveState=active
SubState=running
FragmentPath=/etc/systemd/system/demo@.service
DropInPaths=\"/etc/systemd/system/demo@one.service.d/a b.conf\" /etc/systemd/system/demo@one.service.d/c.conf
UnitFileState=enabled
InactiveExitTimestamp=Sat 2026-11-21 00:27:53.382438 UTC
NeedDaemonReload=yes
LoadError=
InvocationID=dfc42488193c44039b16ebcd61e43e34

Type=
Result=success
ExecMainStartTimestamp=
Id=nope.service
Names=nope.service
LoadState=not-found
ActiveState=inactive
SubState=dead
FragmentPath=
DropInPaths=
UnitFileState=
InactiveExitTimestamp=
NeedDaemonReload=no
LoadError=org.freedesktop.systemd1.NoSuchUnit \"Unit nope.service not found.\"
InvocationID=

Id=multi-user.target
Names=runlevel3.target multi-user.target
LoadState=loaded
ActiveState=active
SubState=active
UnitFileState=static
InactiveExitTimestamp=Sat 2026-11-21 00:27:27.135560 UTC
";

    #[test]
    fn a_running_instance_has_its_files_start_and_invocation() {
        let unit = &parse_show(SHOW)[0];
        assert!(unit.exists() && unit.is_active() && !unit.is_stopped() && unit.needs_reload);
        assert_eq!(unit.fragment.as_deref(), Some(Path::new("/etc/systemd/system/demo@.service")));
        assert_eq!(unit.drop_ins[0], Path::new("/etc/systemd/system/demo@one.service.d/a b.conf"));
        assert_eq!(unit.drop_ins.len(), 2);
        assert_eq!(unit.environment_files, [Path::new("/etc/demo.env"), Path::new("/etc/demo one.env")]);
        assert_eq!((unit.restarts, unit.invocation.len(), unit.file_state.as_str()), (2, 32, "enabled"));
        assert_eq!(unit.started, parse_timestamp("Sat 2026-11-21 00:27:53.382021 UTC"));
    }

    #[test]
    fn a_unit_that_is_not_there_is_told_from_one_that_is_stopped() {
        let units = parse_show(SHOW);
        assert!(!units[1].exists() && units[1].is_stopped() && units[1].started.is_none());
        assert!(units[2].exists() && units[2].started.is_some());
    }

    #[test]
    fn a_unit_is_found_by_its_aliases_too() {
        assert!(parse_show(SHOW)[2].names.contains(&"runlevel3.target".to_owned()));
    }

    #[test]
    fn timestamps_are_read_to_the_microsecond() {
        let at = |text| parse_timestamp(text).map(|time| time.duration_since(SystemTime::UNIX_EPOCH).unwrap());
        assert_eq!(at("Sat 2026-11-21 00:27:53.382021 UTC"), Some(Duration::new(1_795_220_873, 382_021_000)));
        assert_eq!(at("Thu 1970-01-01 00:00:01 UTC"), Some(Duration::from_secs(1)));
        assert_eq!(at("Thu 2024-02-29 12:00:07 UTC"), Some(Duration::from_secs(1_709_208_007)));
        for bad in ["", "n/a", "Sat 2026-11-21 00:27:53 CET", "Sat 2026-11", "Sat x-y-z 1:2:3 UTC"] {
            assert_eq!(parse_timestamp(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_service_that_ends_by_itself_is_known_from_its_file() {
        assert!(ends_by_itself("[Service]\nType=oneshot\nExecStart=/bin/true\n"));
        assert!(!ends_by_itself("[Service]\nType=oneshot\nRemainAfterExit=yes\n"));
        assert!(!ends_by_itself("[Unit]\nType=oneshot\n[Service]\n# Type=oneshot\nExecStart=/bin/true\n"));
        assert!(can_be_enabled("[Unit]\n\n[Install]\nWantedBy=multi-user.target\n") && !can_be_enabled("[Unit]\n"));
    }

    #[test]
    fn garbage_is_no_unit_and_no_panic() {
        assert!(parse_show("").is_empty() && parse_show("\n\n\n").is_empty());
        assert_eq!(parse_show("nonsense"), [Unit::default()]);
        assert_eq!(parse_words("\"a"), ["a"]);
        assert_eq!(parse_words("\\"), Vec::<String>::new());
    }
}
