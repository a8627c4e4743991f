//! What `systemctl` prints.
use super::Unit;
use super::timestamp::parse_timestamp;
use std::path::PathBuf;

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
fn parse_words(text: &str) -> Vec<String> {
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

/// Parses the version of `systemctl --version`: `systemd 252 (252.39-1~deb12u2)`.
pub fn parse_version(text: &str) -> Option<u32> {
    let word = text.strip_prefix("systemd ")?;
    word.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

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
