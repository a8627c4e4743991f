//! A point in time as a person gives it: a date, a time, or how long ago.
use crate::ledger::{parse_rfc3339, rfc3339};
use std::time::{Duration, SystemTime};

/// Reads `3d`, `2026-11-20`, `2026-11-20 12:00` or `2026-11-20T12:00:00Z`; all of it is UTC.
pub(super) fn parse(text: &str) -> Result<SystemTime, String> {
    before(text, SystemTime::now())
}

fn before(text: &str, now: SystemTime) -> Result<SystemTime, String> {
    let said =
        || format!("`{text}` is no time: `30m`, `12h`, `3d` or `2w` ago, `2026-11-20` or `2026-11-20 12:00` (UTC)");
    if let Some(age) = age(text) {
        return now.checked_sub(age).filter(|time| *time >= SystemTime::UNIX_EPOCH).ok_or_else(said);
    }
    let plain = text.trim().trim_end_matches('Z').replace(' ', "T");
    let ends = ["T00:00:00.000Z", ":00.000Z", ".000Z", "Z"];
    let mut written = ends.iter().map(|end| format!("{plain}{end}"));
    // What the calendar does not have, such as a 30th of February, comes back as another day.
    written.find_map(|text| parse_rfc3339(&text).filter(|time| rfc3339(*time) == text)).ok_or_else(said)
}

fn age(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_a_time_or_how_long_ago() {
        let now = parse_rfc3339("2026-11-20T12:00:00.000Z").unwrap();
        for (text, expected) in [
            ("30m", "2026-11-20T11:30:00.000Z"),
            ("12h", "2026-11-20T00:00:00.000Z"),
            ("3d", "2026-11-17T12:00:00.000Z"),
            ("2w", "2026-11-06T12:00:00.000Z"),
            ("2026-11-19", "2026-11-19T00:00:00.000Z"),
            ("2026-11-19 08:15", "2026-11-19T08:15:00.000Z"),
            ("2026-11-19T08:15:30", "2026-11-19T08:15:30.000Z"),
            ("2026-11-19T08:15:30Z", "2026-11-19T08:15:30.000Z"),
            ("2026-11-19T08:15:30.250Z", "2026-11-19T08:15:30.250Z"),
        ] {
            assert_eq!(before(text, now).map(rfc3339), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_said_to_be_none() {
        for bad in [
            "",
            "d",
            "-3d",
            "3x",
            "3.5h",
            "99999999999999999999w",
            "999999w",
            "2026-02-30",
            "2026-11-20 25:00",
            "yesterday",
            "é",
        ] {
            assert!(before(bad, parse_rfc3339("2026-11-20T12:00:00.000Z").unwrap()).is_err(), "{bad}");
        }
    }
}
