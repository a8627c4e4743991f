//! What is alike in several lanes, said once: `{201..207}/user:{lilly,mike}`, `CT201–CT207`.
use crate::id::{Id, Machine};

/// How many alternatives are spelled out.
const SPELLED: usize = 12;

/// Returns texts as one, and exactly: what they have in common, and between braces what differs, in their order. Only the
/// same alternatives may stand in several places, so that nothing is read into it that is not there.
pub(super) fn braces(texts: &[String]) -> String {
    let Some(rows) = rows(texts) else { return texts.first().cloned().unwrap_or_default() };
    zip(&rows).filter(|(_, alternatives)| *alternatives == 1).map_or_else(|| around(&rows), |(text, _)| text)
}

/// Returns texts as one, with each place where they differ between braces of its own: the first alternative of each goes
/// with the first of the others.
pub(super) fn side_by_side(texts: &[String]) -> String {
    let Some(rows) = rows(texts) else { return texts.first().cloned().unwrap_or_default() };
    zip(&rows).map_or_else(|| around(&rows), |(text, _)| text)
}

/// Returns the words of each text; `None` where they do not differ.
fn rows(texts: &[String]) -> Option<Vec<Vec<&str>>> {
    let first = texts.first()?;
    if texts.iter().all(|text| text == first) {
        return None;
    }
    Some(texts.iter().map(|text| tokens(text)).collect())
}

/// Returns texts of equally many words, word by word, and how many different rows of alternatives there are.
fn zip(rows: &[Vec<&str>]) -> Option<(String, usize)> {
    let length = rows[0].len();
    if rows.iter().any(|row| row.len() != length) {
        return None;
    }
    let mut text = String::new();
    let mut seen: Vec<Vec<&str>> = Vec::new();
    for place in 0..length {
        let column: Vec<&str> = rows.iter().map(|row| row[place]).collect();
        if column.iter().all(|word| *word == column[0]) {
            text.push_str(column[0]);
            continue;
        }
        let words: Vec<String> = column.iter().map(ToString::to_string).collect();
        text.extend(["{", &alternatives(&words), "}"]);
        if !seen.contains(&column) {
            seen.push(column);
        }
    }
    Some((text, seen.len()))
}

/// Returns texts with one pair of braces, from the first word that differs to the last.
fn around(rows: &[Vec<&str>]) -> String {
    let shortest = rows.iter().map(Vec::len).min().unwrap_or_default();
    let same = |at: &dyn Fn(&[&str]) -> usize| rows.iter().all(|row| row[at(row)] == rows[0][at(&rows[0])]);
    let head = (0..shortest).take_while(|&n| same(&|_| n)).count();
    let tail = (0..shortest - head).take_while(|&n| same(&|row| row.len() - 1 - n)).count();
    let middles: Vec<String> = rows.iter().map(|row| row[head..row.len() - tail].concat()).collect();
    format!("{}{{{}}}{}", rows[0][..head].concat(), alternatives(&middles), rows[0][rows[0].len() - tail..].concat())
}

fn alternatives(middles: &[String]) -> String {
    let numbers: Option<Vec<u64>> = middles.iter().map(|middle| middle.parse().ok()).collect();
    if let Some(numbers) = numbers
        && numbers.len() > 2
        && numbers.windows(2).all(|pair| pair[0].checked_add(1) == Some(pair[1]))
    {
        return format!("{}..{}", numbers[0], numbers[numbers.len() - 1]);
    }
    if middles.len() <= SPELLED {
        return middles.join(",");
    }
    format!("{},…,{}", middles[..SPELLED - 2].join(","), middles[middles.len() - 1])
}

/// Returns ids as one.
pub(super) fn ids(ids: &[&Id]) -> String {
    let machines: Vec<String> = ids.iter().map(|id| id.machine.to_string()).collect();
    let names: Vec<String> = ids.iter().map(|id| id.local()).collect();
    format!("{}/{}", braces(&machines), braces(&names))
}

/// Returns ids as seen from the machine of `of`: without it, where they are on the same.
pub(super) fn ids_from(of: &[&Id], ids: &[&Id]) -> String {
    if of.len() == ids.len() && of.iter().zip(ids).all(|(a, b)| a.machine == b.machine && a.machine != Machine::Host) {
        let names: Vec<String> = ids.iter().map(|id| id.local()).collect();
        return braces(&names);
    }
    self::ids(ids)
}

/// Returns names of lanes, with a run of numbers from its first to its last.
pub(super) fn lanes(names: &[&str]) -> String {
    let mut runs: Vec<(&str, &str)> = Vec::new();
    let mut lengths: Vec<usize> = Vec::new();
    for name in names {
        match (runs.last_mut(), lengths.last_mut()) {
            (Some(run), Some(length)) if follows(run.1, name) => {
                run.1 = name;
                *length += 1;
            }
            _ => {
                runs.push((name, name));
                lengths.push(1);
            }
        }
    }
    let shown = runs.iter().zip(lengths).map(|((first, last), length)| match length {
        1 => (*first).to_owned(),
        2 => format!("{first}, {last}"),
        _ => format!("{first}–{last}"),
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn follows(before: &str, name: &str) -> bool {
    let ((stem, last), (other, next)) = (numbered(before), numbered(name));
    stem == other && last.zip(next).is_some_and(|(last, next)| last.checked_add(1) == Some(next))
}

/// Returns a name's stem and the number at its end; by this lanes are sorted.
pub(super) fn numbered(name: &str) -> (&str, Option<u64>) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (stem, name[stem.len()..].parse().ok())
}

/// Returns a text in words, runs of letters and digits, and what stands between them, character by character.
pub(super) fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let (token, after) = rest.split_at(if word == 0 { first.len_utf8() } else { word });
        tokens.push(token);
        rest = after;
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_stands_between_braces() {
        for (texts, expected) in [
            (&["a", "a"][..], "a"),
            (&["user:lilly", "user:mike"], "user:{lilly,mike}"),
            (&["201", "202", "203"], "{201..203}"),
            (&["201", "203"], "{201,203}"),
            (&["/home/lilly/x", "/home/mike/x"], "/home/{lilly,mike}/x"),
            (&["/home/lilly/x", "/home/lila/x"], "/home/{lilly,lila}/x"),
            (&["/home/lilly/signals", "/home/mike/logs"], "/home/{lilly/signals,mike/logs}"),
            (&["a.b", "a"], "a{.b,}"),
            (&["a-a", "a"], "a{-a,}"),
            (&["/home/lilly/lilly.toml", "/home/mike/mike.toml"], "/home/{lilly,mike}/{lilly,mike}.toml"),
            (&["10.0.100.201/24", "10.0.100.202/24"], "10.0.100.{201,202}/24"),
            (&["münchen:é", "münchen:ü"], "münchen:{é,ü}"),
        ] {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(braces(&texts), expected);
        }
    }

    #[test]
    fn what_goes_together_stands_at_the_same_place_between_its_braces() {
        let texts = ["enter 201; su - lilly".to_owned(), "enter 202; su - mike".to_owned()];
        assert_eq!(side_by_side(&texts), "enter {201,202}; su - {lilly,mike}");
        assert_eq!(braces(&texts), "enter {201; su - lilly,202; su - mike}");
    }

    #[test]
    fn a_long_row_of_alternatives_names_the_first_ones_and_the_last() {
        let texts: Vec<String> = (b'a'..=b'z').map(|letter| format!("x{}", char::from(letter))).collect();
        assert_eq!(braces(&texts), "{xa,xb,xc,xd,xe,xf,xg,xh,xi,xj,…,xz}");
    }

    #[test]
    fn lanes_in_a_row_are_named_from_first_to_last() {
        for (names, expected) in [
            (&["CT201"][..], "CT201"),
            (&["CT201", "CT202"], "CT201, CT202"),
            (&["CT201", "CT202", "CT203"], "CT201–CT203"),
            (&["CT201", "CT202", "CT203", "CT205", "db1"], "CT201–CT203, CT205, db1"),
            (&["a", "b", "c"], "a, b, c"),
        ] {
            assert_eq!(lanes(names), expected);
        }
    }
}
