//! References of runs: `PROVISION-APPLY20261120-001`, the kind of run, the UTC date, a counter per kind and day.
use std::collections::BTreeMap;

/// The highest counter of each kind and day, by `APPLY20261120`.
pub(super) type Counters = BTreeMap<String, u32>;

/// Returns the reference of the next run of `command` on `date` (`20261120`).
pub(super) fn next(counters: &Counters, command: &str, date: &str) -> String {
    let letters: String = command.chars().filter(char::is_ascii_alphanumeric).collect();
    let series = format!("{}{date}", letters.to_ascii_uppercase());
    let number = counters.get(&series).map_or(1, |last| last + 1);
    format!("PROVISION-{series}-{number:03}")
}

/// Counts a reference that was read.
pub(super) fn count(counters: &mut Counters, reference: &str) {
    let parts = reference.strip_prefix("PROVISION-").and_then(|rest| rest.rsplit_once('-'));
    let Some((series, Ok(number))) = parts.map(|(series, number)| (series, number.parse::<u32>())) else { return };
    match counters.get_mut(series) {
        Some(highest) => *highest = number.max(*highest),
        None => drop(counters.insert(series.to_owned(), number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_count_up_by_kind_and_day() {
        let mut counters = Counters::new();
        let mut step = |command, date| {
            let reference = next(&counters, command, date);
            count(&mut counters, &reference);
            reference
        };
        assert_eq!(step("apply", "20261120"), "PROVISION-APPLY20261120-001");
        assert_eq!(step("apply", "20261120"), "PROVISION-APPLY20261120-002");
        assert_eq!(step("destroy", "20261120"), "PROVISION-DESTROY20261120-001");
        assert_eq!(step("apply", "20261121"), "PROVISION-APPLY20261121-001");
        assert_eq!(step("apply", "20261120"), "PROVISION-APPLY20261120-003", "also where the clock was set back");
    }

    #[test]
    fn more_than_999_runs_a_day_still_have_references_of_their_own() {
        let counters = Counters::from([("APPLY20261120".to_owned(), 999)]);
        assert_eq!(next(&counters, "apply", "20261120"), "PROVISION-APPLY20261120-1000");
    }

    #[test]
    fn what_is_no_reference_counts_nothing() {
        let mut counters = Counters::new();
        for bad in ["", "PROVISION-", "PROVISION-APPLY", "PROVISION-APPLY20261120-x", "X-APPLY20261120-001"] {
            count(&mut counters, bad);
        }
        assert_eq!(counters, Counters::new());
    }
}
