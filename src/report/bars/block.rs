//! The block of rows: a line for each lane at work, as far as they fit, and the sums.
use super::super::alike;
use super::super::stage::Name;
use super::super::style::{columns as width, cut};
use super::lanes::{Lanes, Step, Work};
use super::row::Row;
use std::time::Instant;

/// A terminal with fewer columns or rows shows no bars.
const FEWEST: (usize, usize) = (20, 4);
/// What indicatif puts between a row's name and its text: an age of six columns and two blanks.
const AGE: usize = 8;

impl Lanes {
    /// Returns the rows for a terminal of that size: half of it at most, the sums last.
    pub(super) fn block(&self, columns: usize, rows: usize, now: Instant) -> Vec<String> {
        if columns < FEWEST.0 || rows < FEWEST.1 {
            return Vec::new();
        }
        // In the last column a terminal may or may not begin a new row.
        let columns = columns - 1;
        let room = rows / 2 - 1;
        let fit = if self.at_work.len() <= room { room } else { room.saturating_sub(1).max(1) };
        let shown: Vec<(&str, &Work)> = self.at_work.iter().take(fit).map(|(lane, work)| (name(lane), work)).collect();
        let names = shown.iter().map(|(name, _)| width(name)).chain(["total".len()]);
        let left = names.max().unwrap_or_default().min(columns / 3);
        let padded = |name: &str| format!("{:left$}", cut(name, left));
        let line = |(name, work): &(&str, &Work)| {
            let text = self.step(work.step.as_ref(), columns.saturating_sub(left + AGE));
            let age = now.saturating_duration_since(work.since);
            Row { name: &padded(name), age, done: None, text: &text }.in_columns(columns)
        };
        let mut block: Vec<String> = shown.iter().map(line).collect();
        let more = self.at_work.len() - shown.len();
        if more > 0 && block.len() < room {
            block.push(cut(&format!("… {more} more at work"), columns));
        }
        block.push(self.sums(&padded("total"), left, columns, now));
        block
    }

    fn step(&self, step: Option<&Step>, room: usize) -> String {
        let Some(step) = step else { return cut("waits for its turn or its container", room) };
        let ids = alike::ids(&step.ids.iter().collect::<Vec<_>>());
        // A tab has no width of its own.
        let text = format!("{ids}  {}", step.what).replace(char::is_control, " ");
        format!("{} {}", self.style.paint(step.hue, step.sign), cut(text.trim_end(), room.saturating_sub(2)))
    }

    fn sums(&self, name: &str, left: usize, columns: usize, now: Instant) -> String {
        let bar = match columns {
            _ if self.planned == 0 => 0,
            ..60 => 0,
            60..100 => 10,
            _ => 30,
        };
        let done = self.planned.saturating_sub(self.to_do.len());
        let mut parts = if self.is_changing {
            vec![format!("{done} of {} done", self.planned)]
        } else {
            vec![format!("{} looked at", self.looked_at)]
        };
        for (count, word) in [(self.differ, "differ"), (self.waiting, "waiting"), (self.failed, "failed")] {
            if count > 0 {
                parts.push(format!("{count} {word}"));
            }
        }
        let mut text = parts.join(", ");
        let lanes = self.at_work.keys().flatten().count();
        if lanes > 0 {
            text = format!("{text} · {lanes} of {} lanes at work", self.all.max(lanes));
        }
        if (self.is_interrupted)() {
            text = format!("ends after these steps · {text}");
        }
        let taken = left + AGE + if bar > 0 { bar + 3 } else { 0 };
        let text = cut(&text, columns.saturating_sub(taken));
        let age = self.since.map_or_else(Default::default, |since| now.saturating_duration_since(since));
        let done = (bar > 0).then_some((done as u64, self.planned as u64, bar));
        Row { name, age, done, text: &text }.in_columns(columns)
    }
}

fn name(lane: &Name) -> &str {
    lane.as_ref().map_or("host", |(_, _, name)| name)
}

#[cfg(test)]
mod tests {
    use super::super::super::style::Style;
    use super::*;
    use crate::event::{Envelope, Event, Outcome, VERSION};
    use crate::resource::Change;
    use std::time::Duration;

    /// Lanes to which this happened, a second after the other, and the last moment.
    fn lanes(all: usize, events: &[(&str, Event)]) -> (Lanes, Instant) {
        let mut lanes = Lanes::new(Style::plain(), all, || false);
        let mut now = Instant::now();
        for (lane, event) in events {
            now += Duration::from_secs(1);
            let lane = (!lane.is_empty()).then(|| (*lane).to_owned());
            let (run, time, event) = (String::new(), String::new(), event.clone());
            lanes.take(&Envelope { v: VERSION, run, seq: 1, time, lane, event }, now);
        }
        (lanes, now)
    }

    fn checking(ids: &[&str]) -> Event {
        Event::Checking { ids: ids.iter().map(|id| id.parse().unwrap()).collect() }
    }

    fn planned(id: &str) -> Event {
        Event::Planned {
            id: id.parse().unwrap(),
            label: crate::event::Label::New,
            changes: Vec::new(),
            opaque: false,
            phase: None,
        }
    }

    fn finished(id: &str, outcome: Outcome) -> Event {
        Event::Finished { id: id.parse().unwrap(), outcome, phase: None, digest: String::new(), absent: false }
    }

    #[test]
    fn a_row_says_what_is_done_since_when_and_the_last_one_how_far_it_is() {
        let shell = [Change::field("lilly", "shell", None, Some("/bin/bash".into()))];
        let ids = vec!["201/user:lilly".parse().unwrap()];
        let (lanes, now) = lanes(
            3,
            &[
                ("", planned("201/user:lilly")),
                ("", planned("202/package:git")),
                ("", Event::PlanEnded),
                ("CT201", Event::LaneStarted),
                ("CT202", Event::LaneStarted),
                ("CT201", checking(&["201/user:lilly"])),
                ("CT202", checking(&["202/package:git", "202/package:tmux"])),
                ("CT202", finished("202/package:git", Outcome::Changed { changes: Vec::new() })),
                ("CT201", Event::Applying { ids, changes: shell.to_vec(), absent: false }),
            ],
        );
        let expected = [
            "CT201     3s ~ 201/user:lilly  shell",
            "CT202     4s waits for its turn or its container",
            "total     8s [=====>    ] 1 of 2 done · 2 of 3 lanes at work",
        ];
        assert_eq!(lanes.block(80, 24, now + Duration::from_secs(3)), expected);
    }

    #[test]
    fn a_plan_counts_what_it_looked_at_and_what_differs() {
        let waits = Outcome::Waiting { because: "not done".into(), remedy: None };
        let (lanes, now) = lanes(
            0,
            &[
                ("", checking(&["file:/x"])),
                ("", finished("file:/x", Outcome::Differs { label: crate::event::Label::New })),
                ("", checking(&["gate:m365"])),
                ("", finished("gate:m365", waits)),
                ("", checking(&["unit:a.service", "unit:b.service"])),
            ],
        );
        let expected = ["host      0s · host/unit:{a,b}.service", "total     4s 4 looked at, 1 differ, 1 waiting"];
        assert_eq!(lanes.block(60, 24, now), expected);
    }

    #[test]
    fn half_of_the_rows_at_most_are_taken_and_what_does_not_fit_is_counted() {
        let names: Vec<String> = (1..=200).map(|number| format!("CT{number}")).collect();
        let events: Vec<(&str, Event)> = names.iter().map(|name| (name.as_str(), Event::LaneStarted)).collect();
        let (lanes, now) = lanes(200, &events);
        for rows in [4, 5, 6, 20, 50, 500] {
            for columns in [20, 21, 60, 200] {
                let block = lanes.block(columns, rows, now);
                assert!((2..=rows / 2).contains(&block.len()), "{rows}: {block:?}");
                assert!(block.iter().all(|row| width(row) < columns), "{columns}: {block:?}");
            }
        }
        let block = lanes.block(60, 12, now);
        assert!(block[0].starts_with("CT1 ") && block[3].starts_with("CT4 "), "{block:?}");
        assert_eq!(block[4], "… 196 more at work");
        assert_eq!(lanes.block(60, 500, now).len(), 201);
        assert_eq!((lanes.block(19, 50, now).len(), lanes.block(60, 3, now).len()), (0, 0));
    }

    #[test]
    fn who_has_ended_is_not_at_work_any_more() {
        let ended = Event::LaneEnded { seconds: 1.0, stopped: None };
        let (lanes, _) = lanes(1, &[("", checking(&["file:/x"])), ("CT201", Event::LaneStarted), ("CT201", ended)]);
        assert!(!lanes.are_at_work());
    }
}
