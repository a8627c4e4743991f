//! The text of the two units, systemd.service(5) and systemd.timer(5), and what is read back of it.
use super::{Schedule, When};
use std::fmt::Write as _;
use std::time::Duration;

/// With this begins what is ours.
pub(super) const MARK: &str = "# Written by `provision schedule`";

/// How long after a boot the first run is, at most.
const AFTER_BOOT: Duration = Duration::from_mins(2);
/// By how much a run is late at most, so that not all machines begin at once.
const DELAY: Duration = Duration::from_mins(5);

/// Returns the units that a package brings: of every recipe in its directory, by name.
pub(super) fn templates() -> [(&'static str, String); 2] {
    let head = "# `systemctl enable --now provision@RECIPE.timer` applies a recipe of /etc/provision/recipes again and again;\n\
                # `provision schedule` says when, and with which variables.";
    let command = "/usr/bin/provision apply %i --yes --wait 10m";
    let when = When::Every(Duration::from_mins(30));
    [("provision@.service", service_of(head, "%i", command)), ("provision@.timer", timer_of(head, "%i", &when))]
}

pub(super) fn service(schedule: &Schedule) -> String {
    service_of(&head(&schedule.recipe), &schedule.recipe, &line(&schedule.argv))
}

fn head(recipe: &str) -> String {
    format!("{MARK}; `provision schedule {recipe} --off` takes it away.")
}

fn service_of(head: &str, recipe: &str, command: &str) -> String {
    format!(
        "{head}
#
# No sandbox: what a run starts, such as a container or a package's daemon, would inherit it (NoNewPrivileges=, filters of
# system calls, Nice=, limits) and differ from what a person starts, and what it mounts would be mounted for it alone
# (PrivateTmp=, ProtectSystem=). What stands here concerns the run, not what it leaves behind.
[Unit]
Description=provision: keeps what recipe {recipe} says
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart={command}
# For secrets that come from the environment, and proxies: NAME=value lines, of mode 0600.
EnvironmentFile=-/etc/provision/environment
# 3: something waits for a person. 5: another run went on for longer than this one waits.
SuccessExitStatus=3 5
# Told to stop, a run ends after the step that is under way, whose programs come to their end.
KillMode=process
TimeoutStartSec=6h
TimeoutStopSec=10min
# A program that runs out of memory is a step that failed, and the run says so.
OOMPolicy=continue
# People and their services go first.
CPUWeight=20
IOWeight=20
"
    )
}

pub(super) fn timer(schedule: &Schedule) -> String {
    timer_of(&head(&schedule.recipe), &schedule.recipe, &schedule.when)
}

fn timer_of(head: &str, recipe: &str, when: &When) -> String {
    let times = match when {
        When::Every(every) => {
            let (boot, delay) = (AFTER_BOOT.min(*every), DELAY.min(*every / 10));
            let [every, boot, delay] = [*every, boot, delay].map(period);
            format!("OnBootSec={boot}\nOnUnitActiveSec={every}\nRandomizedDelaySec={delay}\n")
        }
        When::Calendar(calendar) => {
            let delay = period(DELAY);
            format!("OnCalendar={}\nPersistent=true\nRandomizedDelaySec={delay}\n", calendar.replace('%', "%%"))
        }
    };
    format!(
        "{head}
[Unit]
Description=provision: applies recipe {recipe} again

[Timer]
{times}AccuracySec=1s

[Install]
WantedBy=timers.target
"
    )
}

/// Returns whether a program is what a service starts.
pub(super) fn runs(service: &str, program: &str) -> bool {
    let start = format!("ExecStart={} ", quoted(program));
    service.lines().any(|line| line.starts_with(&start))
}

/// Returns whether a service applies what is named so.
pub(super) fn applies(service: &str, named: &str) -> bool {
    let apply = format!(" apply {} ", quoted(named));
    service.lines().any(|line| line.starts_with("ExecStart=") && line.contains(&apply))
}

/// Returns when a timer says that it elapses.
pub(super) fn when(timer: &str) -> String {
    let value = |key: &str| timer.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    match (value("OnUnitActiveSec"), value("OnCalendar")) {
        (Some(every), _) => format!("every {every}"),
        (None, Some(calendar)) => format!("at {}", calendar.replace("%%", "%")),
        (None, None) => "by a timer that somebody changed".to_owned(),
    }
}

/// Returns a period in the largest unit that holds it whole; systemd reads it so too.
pub(super) fn period(period: Duration) -> String {
    let milliseconds = period.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    match units.into_iter().find(|(_, unit)| milliseconds > 0 && milliseconds.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{}{name}", milliseconds / unit),
        None => format!("{milliseconds}ms"),
    }
}

/// Returns a command line as `ExecStart=` takes it.
fn line(argv: &[String]) -> String {
    argv.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// Quotes a word where it needs that; `%` and `$` mean something in quotes as well.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    let mut text = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '%' | '$' => text.extend([c, c]),
            '\n' => text.push_str("\\n"),
            c if c.is_ascii_control() => drop(write!(text, "\\x{:02x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_systemd() {
        for (word, expected) in [
            ("/srv/web.toml", "/srv/web.toml"),
            ("", "\"\""),
            ("a b", "\"a b\""),
            (";", "\";\""),
            ("port=8080", "port=8080"),
            ("network={ node = \"npm\" }", "\"network={ node = \\\"npm\\\" }\""),
            ("50%", "\"50%%\""),
            ("http://x/a%20b.tar?c=1&d#sha256=0f", "\"http://x/a%%20b.tar?c=1&d#sha256=0f\""),
            ("$HOME", "\"$$HOME\""),
            ("a\\b\n\t", "\"a\\\\b\\n\\x09\""),
            ("größe", "\"größe\""),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }

    #[test]
    fn what_a_package_brings_is_of_any_recipe_and_not_taken_for_one_that_is_scheduled() {
        let [(_, service), (_, timer)] = templates();
        assert!(service.contains("\nExecStart=/usr/bin/provision apply %i --yes --wait 10m\n"), "{service}");
        assert!(timer.contains("\nOnUnitActiveSec=30m\n") && timer.contains("recipe %i again"), "{timer}");
        assert!(!service.contains(MARK) && !timer.contains(MARK));
    }

    #[test]
    fn a_period_is_said_in_its_largest_unit() {
        for (seconds, expected) in [(5, "5s"), (90, "90s"), (1800, "30m"), (5400, "90m"), (7200, "2h"), (86_400, "1d")]
        {
            assert_eq!(period(Duration::from_secs(seconds)), expected);
        }
        assert_eq!(period(Duration::from_millis(500)), "500ms");
    }

    #[test]
    fn a_timer_says_when_it_elapses() {
        let schedule = |when| Schedule { recipe: "web".into(), argv: vec!["/bin/provision".into()], when };
        let every = timer(&schedule(When::Every(Duration::from_mins(30))));
        assert!(every.contains("OnBootSec=2m\nOnUnitActiveSec=30m\nRandomizedDelaySec=3m\n"), "{every}");
        assert_eq!(when(&every), "every 30m");
        let calendar = timer(&schedule(When::Calendar("Mon..Fri 03:00".into())));
        assert!(calendar.contains("OnCalendar=Mon..Fri 03:00\nPersistent=true\nRandomizedDelaySec=5m\n"), "{calendar}");
        assert_eq!(when(&calendar), "at Mon..Fri 03:00");
    }
}
