//! Bars, on a terminal in memory: what is shown while a run goes on, and that nothing of it stays.
use crate::support::place::Place;
use crate::support::pty::{On, Pty};
use std::fs;
use std::process::Command;

/// Lanes of the host, each with what `lane` says of its number.
fn place(lanes: usize, lane: &str) -> Place {
    let numbers: Vec<String> = (1..=lanes).map(|number| number.to_string()).collect();
    let place = Place::new(&format!(
        "name = \"web\"\n[vars]\nnumbers = [{}]\n[[include]]\nfor-each = {{ n = \"{{{{ numbers }}}}\" }}\n\
         lane = \"CT{{{{ n }}}}\"\nrecipe = \"lane.toml\"\nvars = {{ n = \"{{{{ n }}}}\" }}\n",
        numbers.join(", ")
    ));
    let lane = lane.replace("ROOT", &place.root().display().to_string());
    fs::write(place.root().join("lane.toml"), format!("needs = [\"n\"]\n{lane}")).unwrap();
    place
}

/// A step of a second, the host's turn, in each lane.
const STEP: &str = "[[command]]\nname = \"build-{{ n }}\"\nargv = [\"sh\", \"-c\", \"sleep 0.8; touch ROOT/built-{{ n }}\"]\ncreates = \"ROOT/built-{{ n }}\"\n\
                    [[file]]\npath = \"ROOT/made-{{ n }}\"\ncontent = \"x\"\n";
/// A test of three seconds, all side by side.
const TEST: &str = "[[test]]\nname = \"slow-{{ n }}\"\nargv = [\"sleep\", \"3\"]\n";

/// The rows of the bars: from the cursor, which rests at their first column, to the last row that is not empty.
fn block(screen: &vt100::Screen) -> Vec<String> {
    let (row, column) = screen.cursor_position();
    let (_, columns) = screen.size();
    let rows: Vec<String> = screen.rows(0, columns.get()).skip(usize::from(row)).collect();
    let last = rows.iter().rposition(|row| !row.trim().is_empty());
    let rows: Vec<String> = rows.into_iter().take(last.map_or(0, |last| last + 1)).collect();
    let is_block = column == 0 && rows.last().is_some_and(|row| row.starts_with("total"));
    if is_block { rows } else { Vec::new() }
}

/// Looks whether bars are drawn as they should be.
fn assert_sound(screen: &vt100::Screen) {
    let (rows, columns) = screen.size();
    let block = block(screen);
    assert!(!block.is_empty() && block.len() <= usize::from(rows.get()) / 2, "{}", screen.contents());
    let (first, _) = screen.cursor_position();
    for (number, row) in (first..).zip(&block) {
        assert!(!screen.row_wrapped(number), "a row that is too wide: {row}");
        assert!(row.trim_end().chars().count() < usize::from(columns.get()), "{row}");
    }
    let totals = screen.contents().matches("total").count();
    assert_eq!(totals, 1, "sums of an earlier moment:\n{}", screen.contents());
}

/// Looks whether only lines are left, with the cursor, visible, below the last of them.
fn assert_clean(pty: &Pty, last: &str) {
    let screen = pty.screen();
    let shown = screen.contents();
    for trace in ["total ", "at work", "^C", "\u{1b}"] {
        assert!(!shown.contains(trace), "`{trace}` is left:\n{shown}");
    }
    assert!(!screen.hide_cursor() && screen.cursor_position().1 == 0, "{shown}");
    assert!(shown.lines().last().unwrap_or_default().starts_with(last), "{shown}");
}

fn on(command: &Command, columns: u16, rows: u16) -> Pty {
    Pty::start(command, columns, rows, On::Both)
}

#[test]
fn each_lane_at_work_has_a_row_with_its_step_and_its_age_and_nothing_of_it_stays() {
    let place = place(3, STEP);
    let mut pty = on(&place.command(&["apply", "web.toml", "--yes"]), 60, 20);
    pty.until(|screen| block(screen).len() == 4);
    assert_sound(pty.screen());
    let rows = block(pty.screen());
    for (number, row) in rows[..3].iter().enumerate() {
        assert!(row.starts_with(&format!("CT{}  ", number + 1)), "{rows:?}");
    }
    assert!(rows.iter().any(|row| row.contains("s ~ host/command:build-")), "{rows:?}");
    assert!(rows.iter().any(|row| row.contains("s waits for its turn")), "{rows:?}");
    assert!(rows[3].contains(" 0 of 6 done · 3 of 3 lanes at work"), "{rows:?}");
    pty.until(|screen| screen.contents().contains("changed  host/command:build-") && block(screen).len() > 1);
    assert_sound(pty.screen());
    let code = pty.end().0;
    assert_eq!(code, 0);
    assert_clean(&pty, "applied: ");
}

#[test]
fn of_more_lanes_than_rows_some_are_shown_and_all_are_counted() {
    for (columns, rows) in [(60, 20), (20, 20), (200, 50)] {
        let place = place(200, TEST);
        let mut pty = on(&place.command(&["status", "web.toml", "--jobs", "200"]), columns, rows);
        pty.until(|screen| block(screen).len() == usize::from(rows) / 2);
        assert_sound(pty.screen());
        let shown = block(pty.screen());
        let [lanes @ .., more, sums] = shown.as_slice() else { panic!("{shown:?}") };
        assert!(more.starts_with("… 1") && more.contains(" more at wo"), "{shown:?}");
        if columns > 20 {
            let (_, at_work) = sums.split_once(" · ").unwrap();
            let at_work: usize = at_work.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(*more.trim_end(), format!("… {} more at work", at_work - lanes.len()), "{shown:?}");
        }
        assert_eq!(pty.end().0, 0);
        assert_clean(&pty, "");
    }
}

#[test]
fn a_terminal_that_changes_its_size_is_drawn_anew() {
    let place = place(6, TEST);
    let mut pty = on(&place.command(&["status", "web.toml"]), 120, 40);
    pty.until(|screen| block(screen).len() == 7);
    for (columns, rows) in [(40, 10), (200, 50), (20, 6)] {
        pty.resize(columns, rows);
        pty.until(|screen| block(screen).len() == 7.min(usize::from(rows) / 2));
        assert_sound(pty.screen());
    }
    assert_eq!(pty.end().0, 0);
    assert_clean(&pty, "");
}

#[test]
fn a_terminal_too_small_for_bars_has_none() {
    let place = place(2, TEST);
    let mut pty = on(&place.command(&["status", "web.toml"]), 19, 3);
    assert_eq!(pty.end().0, 0);
    assert!(!String::from_utf8_lossy(&pty.raw).contains("total"));
}

#[test]
fn ctrl_c_ends_the_run_after_its_step_and_leaves_the_terminal_clean() {
    let place = place(3, STEP);
    let mut pty = on(&place.command(&["apply", "web.toml", "--yes"]), 80, 24);
    pty.until(|screen| block(screen).len() == 4);
    pty.types("\u{3}");
    pty.until(|screen| block(screen).last().is_some_and(|row| row.contains("ends after these steps")));
    assert_sound(pty.screen());
    assert_eq!(pty.end().0, 130);
    assert_clean(&pty, "interrupted: ");
    let built = (1..=3).filter(|number| place.root().join(format!("built-{number}")).exists()).count();
    assert_eq!(built, 1, "lanes that waited for their turn do not take it any more");
}

#[test]
fn somebody_is_asked_when_the_bars_are_gone() {
    let slow = STEP.replace(
        "creates = \"ROOT/built-{{ n }}\"",
        "unless = [\"sh\", \"-c\", \"sleep 1; test -e ROOT/made-{{ n }}\"]",
    );
    let place = place(2, &slow);
    let mut pty = on(&place.command(&["apply", "web.toml"]), 80, 24);
    pty.until(|screen| block(screen).len() == 3);
    pty.until(|screen| screen.contents().trim_end().ends_with("apply these changes? [y/N]"));
    std::thread::sleep(std::time::Duration::from_millis(500));
    pty.until(|screen| screen.contents().trim_end().ends_with("apply these changes? [y/N]"));
    assert!(!pty.screen().contents().contains("total"), "{}", pty.screen().contents());
    pty.types("n\r");
    assert_eq!(pty.end().0, 4);
    assert_clean(&pty, "applied: 0 changed");
    assert!(pty.screen().contents().contains("apply these changes? [y/N] n\nwarning: nothing was changed\n"));
}

#[test]
fn ctrl_c_and_ctrl_d_are_answers_too() {
    for (key, code, last) in [("\u{3}", 130, "interrupted: 0 changed"), ("\u{4}", 4, "applied: 0 changed")] {
        let place = place(2, STEP);
        let mut pty = on(&place.command(&["apply", "web.toml"]), 80, 24);
        pty.until(|screen| screen.contents().trim_end().ends_with("apply these changes? [y/N]"));
        pty.types(key);
        assert_eq!(pty.end().0, code);
        let shown = pty.screen().contents();
        assert!(shown.lines().last().unwrap().starts_with(last), "{shown}");
        assert!(shown.contains("\nwarning: nothing was changed\n"), "{shown}");
        assert!(!place.root().join("built-1").exists());
    }
}

#[test]
fn without_a_terminal_that_can_show_them_there_are_no_bars() {
    let place = place(2, TEST);
    let status = |name: &str, value: &str| {
        let mut command = place.command(&["status", "web.toml"]);
        command.env(name, value);
        command
    };
    let mut dumb = on(&status("TERM", "dumb"), 80, 24);
    assert_eq!(dumb.end().0, 0);
    assert!(!dumb.raw.contains(&0x1b), "{}", String::from_utf8_lossy(&dumb.raw));
    let mut unset = status("TERM", "");
    for command in [&status("TERM", ""), unset.env_remove("TERM")] {
        let mut none = on(command, 80, 24);
        assert_eq!(none.end().0, 0);
        assert!(!none.raw.contains(&0x1b), "{}", String::from_utf8_lossy(&none.raw));
    }
    let mut piped = Pty::start(&status("TERM", "xterm"), 80, 24, On::StderrAlone);
    let (code, stdout) = piped.end();
    assert_eq!((code, piped.raw.as_slice()), (0, &b""[..]), "stdout is a pipe: whoever reads it may write here too");
    assert!(stdout.contains("\nstatus: 2 in sync") && !stdout.contains('\u{1b}'), "{stdout}");
    let mut colorless = on(&status("NO_COLOR", "1"), 80, 24);
    colorless.until(|screen| block(screen).len() == 3);
    assert_eq!(colorless.end().0, 0);
    let raw = String::from_utf8_lossy(&colorless.raw).into_owned();
    assert!(raw.contains("total") && !raw.contains("\u{1b}[3") && !raw.contains("\u{1b}[2m"), "{raw:?}");
}

#[test]
fn a_run_that_is_over_at_once_shows_none() {
    let place = Place::new("name = \"web\"\n[[file]]\npath = \"ROOT/motd\"\ncontent = \"hello\\n\"\n");
    let mut pty = on(&place.command(&["apply", "web.toml", "--yes"]), 80, 24);
    assert_eq!(pty.end().0, 0);
    assert!(!String::from_utf8_lossy(&pty.raw).contains("total"));
}
