//! Points in time as text: RFC 3339 in UTC, to the millisecond.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Returns `2026-11-20T12:00:00.000Z`; a time before 1970 counts as 1970.
pub fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, rest) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    let millisecond = u64::from(since.subsec_millis());
    // Every event has a time: `format!` would be a tenth of what it costs to look at a file.
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let parts = [(3, year), (6, month), (9, day), (12, hour), (15, minute), (18, second), (22, millisecond)];
    for (last, mut number) in parts {
        let mut at = last;
        while number > 0 && text[at].is_ascii_digit() {
            text[at] = b'0' + (number % 10) as u8;
            number /= 10;
            at = at.saturating_sub(1);
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Reads what `rfc3339` wrote.
pub fn parse_rfc3339(text: &str) -> Option<SystemTime> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let marks = [(4, '-'), (7, '-'), (10, 'T'), (13, ':'), (16, ':'), (19, '.'), (23, 'Z')];
    if text.len() != 24 || marks.iter().any(|&(at, mark)| text.as_bytes()[at] != mark as u8) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    Some(UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(number(20, 23)?))
}

/// Times in JSON, as `#[serde(with = …)]`.
pub(crate) mod as_text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use std::time::SystemTime;

    pub(crate) fn serialize<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::rfc3339(*time))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(from)?;
        super::parse_rfc3339(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is not a time")))
    }
}

/// Returns `20261120`, the date in UTC.
pub(super) fn date(time: SystemTime) -> String {
    let (year, month, day) = civil(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / 86_400);
    format!("{year:04}{month:02}{day:02}")
}

/// Returns year, month and day of a number of days since 1970-01-01 (Gregorian; years counted from March, so that the
/// leap day is the last of one).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era_day = shifted % 146_097;
    let era_year = (era_day - era_day / 1460 + era_day / 36_524 - era_day / 146_096) / 365;
    let year_day = era_day - (365 * era_year + era_year / 4 - era_year / 100);
    let from_march = (5 * year_day + 2) / 153;
    let day = year_day - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (shifted / 146_097 * 400 + era_year + u64::from(month <= 2), month, day)
}

/// Returns the days from 1970-01-01 to that date.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let year_of_era = year % 400;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * from_march + 2) / 5 + day - 1;
    year / 400 * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_calendar_has_them() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000Z"),
            (1_795_176_000, "2026-11-20T12:00:00.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(rfc3339(time), text);
            assert_eq!(parse_rfc3339(text), Some(time));
        }
    }

    #[test]
    fn every_day_of_two_centuries_comes_back() {
        for day in 0..73_000 {
            let (year, month, of_month) = civil(day);
            assert_eq!(days(year, month, of_month), day);
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for bad in
            ["", "2026-11-20", "2026-13-20T12:00:00.000Z", "2026-11-20 12:00:00.000Z", "2026-11-20T12:00:00.00éZ"]
        {
            assert_eq!(parse_rfc3339(bad), None, "{bad}");
        }
    }
}
