//! A failure as people read it: what was attempted, the causes, what a child printed, what to do next.
use super::style::{Hue, Style};
use crate::error::Error;

/// Returns an error that belongs to no resource.
pub fn error_text(error: &Error, color: bool) -> String {
    let style = Style { color, ..Style::plain() };
    let causes: Vec<&str> = error.causes.iter().map(String::as_str).collect();
    text(&error.attempt, &causes, error, 0, style)
}

/// Returns the failure of resources, and how many later ones were not tried because of it.
pub(super) fn failed_text(ids: &str, error: &Error, untried: usize, style: Style) -> String {
    let attempt = std::iter::once(error.attempt.as_str());
    let causes: Vec<&str> = attempt.chain(error.causes.iter().map(String::as_str)).collect();
    text(&format!("{ids} failed"), &causes, error, untried, style)
}

/// Returns the body of a resource's failure, without its head.
pub(super) fn body(error: &Error, style: Style) -> String {
    let attempt = std::iter::once(error.attempt.as_str());
    let causes: Vec<&str> = attempt.chain(error.causes.iter().map(String::as_str)).collect();
    let next = error.remedy.as_deref().map(|remedy| format!("  {}\n", sentence(remedy))).unwrap_or_default();
    reasons(&causes, error, style) + &next
}

fn text(head: &str, causes: &[&str], error: &Error, untried: usize, style: Style) -> String {
    let mut text = format!("{} {head}\n{}", style.paint(Hue::Bad, "error:"), reasons(causes, error, style));
    let untried = match untried {
        0 => None,
        1 => Some("1 later resource was not tried.".to_owned()),
        many => Some(format!("{many} later resources were not tried.")),
    };
    let next: Vec<String> = untried.into_iter().chain(error.remedy.as_deref().map(sentence)).collect();
    if !next.is_empty() {
        text.push_str(&next.join(" "));
        text.push('\n');
    }
    text
}

/// Returns the causes, and below them what a child printed.
fn reasons(causes: &[&str], error: &Error, style: Style) -> String {
    let causes = causes.iter().flat_map(|cause| cause.lines()).map(|line| format!("  {line}\n"));
    let bar = style.paint(Hue::Faint, "|");
    causes.chain(error.output.iter().map(|line| format!("  {bar} {line}\n"))).collect()
}

/// Returns a remedy as a sentence: with a capital, unless it begins with a command, and a full stop.
fn sentence(remedy: &str) -> String {
    let mut letters = remedy.trim().chars();
    let Some(first) = letters.next() else { return String::new() };
    let end = if remedy.trim_end().ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{}{}{end}", first.to_uppercase(), letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk_full() -> Error {
        Error::new("writing `/etc/exports`")
            .reason("No space left on device (os error 28)")
            .remedy("free some space, then run `provision apply eidolons.toml` again")
    }

    #[test]
    fn a_failure_names_attempt_causes_what_was_left_out_and_what_to_do() {
        assert_eq!(
            failed_text("host/file:/etc/exports", &disk_full(), 3, Style::plain()),
            "error: host/file:/etc/exports failed\n  writing `/etc/exports`\n  No space left on device (os error 28)\n\
             3 later resources were not tried. Free some space, then run `provision apply eidolons.toml` again.\n"
        );
    }

    #[test]
    fn what_a_child_printed_stands_apart() {
        let error = Error::new("running `apt-get install git`")
            .reason("exit 100")
            .output("Reading lists\nE: no such package\n");
        assert_eq!(
            failed_text("201/package:git", &error, 1, Style::plain()),
            "error: 201/package:git failed\n  running `apt-get install git`\n  exit 100\n  | Reading lists\n  | E: no such \
             package\n1 later resource was not tried.\n"
        );
    }

    #[test]
    fn an_error_of_no_resource_has_the_attempt_as_its_head() {
        assert_eq!(
            error_text(&Error::new("taking the lock").reason("held by pid 7"), false),
            "error: taking the lock\n  held by pid 7\n"
        );
        assert_eq!(error_text(&Error::new("x"), true), "\u{1b}[31merror:\u{1b}[0m x\n");
    }
}
