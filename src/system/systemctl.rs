//! What systemd says of units: the output of `systemctl show`.
use super::unit_file::is_redefined;
use super::{Command, System};
use crate::error::{Attempt as _, Error, Result};
use crate::field::is_template;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const PROPERTIES: &str = "Id,Names,LoadState,LoadError,ActiveState,SubState,UnitFileState,FragmentPath,DropInPaths,\
    EnvironmentFiles,InvocationID,NRestarts,NeedDaemonReload,InactiveExitTimestamp,ExecMainStartTimestamp,Result,\
    ExecMainStatus,Type,RemainAfterExit,SourcePath,Triggers,CanReload,ConditionResult,Conflicts";

/// The version from which on `UpheldBy=` is known in `[Install]`.
const UPHELD_BY: u32 = 254;

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
    /// Its names: its own first, then its aliases.
    pub names: Vec<String>,
    /// `loaded`, `not-found`, `masked`, `bad-setting`, `error`.
    pub load: String,
    /// Why it could not be loaded, in systemd's words.
    pub load_error: String,
    /// `active`, `reloading`, `inactive`, `failed`, `activating`, `deactivating`.
    pub active: String,
    /// `running`, `exited`, `auto-restart`, …
    pub sub: String,
    /// `enabled`, `disabled`, `static`, `masked`, …; empty where there is no file.
    pub file_state: String,
    /// Its unit file.
    pub fragment: Option<PathBuf>,
    /// That from which a generator made it, such as `/etc/fstab`.
    pub source: Option<PathBuf>,
    /// Its drop-ins.
    pub drop_ins: Vec<PathBuf>,
    /// The files of `EnvironmentFile=`, with their wildcards.
    pub environment_files: Vec<PathBuf>,
    /// Differs with each start.
    pub invocation: String,
    /// How often `Restart=` has started it again.
    pub restarts: u64,
    /// systemd would read something else now than it has read.
    pub needs_reload: bool,
    /// It can read its configuration again while it runs.
    pub can_reload: bool,
    /// The units that it starts: a socket's or a timer's service.
    pub triggers: Vec<String>,
    /// The units that it has stopped when it starts.
    pub conflicts: Vec<String>,
    /// Whether all `Condition…=` were met at its last start.
    pub conditions_met: Option<bool>,
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
            ("failed", result) if matches!(self.status.as_str(), "" | "0") => format!("failed ({result})"),
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
    let names: BTreeSet<&str> = names.into_iter().filter(|name| !is_template(name)).collect();
    if !running || names.is_empty() {
        return Ok(Units { running, by_name: HashMap::new() });
    }
    let command = Command::new(["systemctl", "show", "--no-pager", "--timestamp=us", "--property", PROPERTIES, "--"]);
    let mut command = command.env("TZ", "UTC").timeout(Duration::from_mins(1));
    command.argv.extend(names.iter().map(|name| (*name).to_owned()));
    let output = sys.run(&command)?.success(&command)?.text();
    let mut by_name = HashMap::new();
    for mut unit in parse_show(&output) {
        if let Some(fragment) = unit.fragment.as_ref().filter(|_| !unit.needs_reload && !unit.is_masked()) {
            let attempt = || format!("looking for the files of `{}`", unit.names.join("`, `"));
            unit.needs_reload = is_redefined(sys, &unit.names, fragment, &unit.drop_ins).attempt(attempt)?;
        }
        let unit = Arc::new(unit);
        by_name.extend(unit.names.iter().map(|name| (name.clone(), unit.clone())));
    }
    Ok(Units { running, by_name })
}

/// Returns whether the systemd of this machine knows `UpheldBy=` in an `[Install]` section; one before 254 passes over it.
pub fn knows_upheld_by(sys: &dyn System) -> Result<bool> {
    if !matches!(sys.lstat(Path::new("/run/systemd/system")), Ok(Some(_))) {
        return Ok(true);
    }
    let knows = sys.facts().get("systemd knows UpheldBy=", || {
        let command = Command::new(["systemctl", "--version"]).timeout(Duration::from_mins(1));
        let output = sys.run(&command)?.success(&command)?.text();
        Ok::<_, Error>(parse_version(&output).is_none_or(|version| version >= UPHELD_BY))
    })?;
    Ok(*knows)
}

/// Parses the version of `systemctl --version`: `systemd 252 (252.39-1~deb12u2)`.
pub fn parse_version(text: &str) -> Option<u32> {
    let word = text.strip_prefix("systemd ")?;
    word.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
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
            "Id" => {
                unit.names.retain(|name| name != value);
                unit.names.insert(0, value.to_owned());
            }
            "Names" => {
                let others = value.split(' ').filter(|name| unit.names.first().is_none_or(|own| own != name));
                unit.names.extend(others.map(str::to_owned).collect::<Vec<_>>());
            }
            "LoadState" => value.clone_into(&mut unit.load),
            "LoadError" => parse_bus_error(value).clone_into(&mut unit.load_error),
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
            "CanReload" => unit.can_reload = value == "yes",
            "ConditionResult" => unit.conditions_met = Some(value == "yes"),
            "SourcePath" => unit.source = (!value.is_empty()).then(|| value.into()),
            "Triggers" => unit.triggers = value.split_whitespace().map(str::to_owned).collect(),
            "Conflicts" => unit.conflicts = value.split_whitespace().map(str::to_owned).collect(),
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

/// Returns the message of `org.freedesktop.systemd1.BadUnitSetting "Unit a.service has a bad unit file setting."`.
fn parse_bus_error(text: &str) -> &str {
    text.split_once(" \"").and_then(|(_, message)| message.strip_suffix('"')).unwrap_or(text)
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
Conflicts=shutdown.target rescue.target
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
        assert_eq!(units[2].conflicts, ["shutdown.target", "rescue.target"]);
    }

    #[test]
    fn a_units_own_name_goes_before_its_aliases() {
        assert_eq!(parse_show(SHOW)[2].names, ["multi-user.target", "runlevel3.target"]);
        assert_eq!(parse_show("Names=a.service b.service\nId=b.service\n")[0].names, ["b.service", "a.service"]);
    }

    #[test]
    fn why_a_unit_could_not_be_loaded_is_said_without_the_name_of_the_bus() {
        assert_eq!(parse_show(SHOW)[1].load_error, "Unit nope.service not found.");
        assert_eq!(parse_bus_error(""), "");
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
    fn the_version_is_a_number_whatever_stands_behind_it() {
        for (text, version) in [
            ("systemd 252 (252.39-1~deb12u2)\n+PAM +AUDIT\n", Some(252)),
            ("systemd 258~rc1 (258~rc1-1)\n", Some(258)),
            ("systemd\n", None),
            ("", None),
        ] {
            assert_eq!(parse_version(text), version, "{text}");
        }
    }

    #[test]
    fn garbage_is_no_unit_and_no_panic() {
        assert!(parse_show("").is_empty() && parse_show("\n\n\n").is_empty());
        assert_eq!(parse_show("nonsense"), [Unit::default()]);
        assert_eq!(parse_words("\"a"), ["a"]);
        assert_eq!(parse_words("\\"), Vec::<String>::new());
    }
}
