//! The times that `systemctl show --timestamp=us` prints.
use std::time::{Duration, SystemTime};

/// Parses `Sat 2026-11-21 00:27:53.382021 UTC`; the fraction may be missing.
pub(super) fn parse_timestamp(text: &str) -> Option<SystemTime> {
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
}
