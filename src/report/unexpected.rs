//! How a plan differs from the one that was expected.
use super::change::exactly;
use super::style::{Hue, Style};
use super::summary::HEAD;
use crate::approval::Difference;
use crate::resource::Change;

/// Returns what is said of it.
pub(super) fn text(expected: &str, planned: &str, differences: Option<&[Difference]>, style: Style) -> String {
    let head = style.paint(Hue::Bad, "not as expected:");
    let short = |digest: &str| digest.get(..HEAD).unwrap_or(digest).to_owned();
    let (expected, planned) = (short(expected), short(planned));
    let is = match planned.as_str() {
        "" => format!("this plan changes nothing, and {expected} does"),
        planned => format!("the digest of this plan is {planned}, not {expected}"),
    };
    let mut text = format!("{head} {is}; nothing was changed\n");
    let Some(differences) = differences else {
        text.push_str("  what was expected is not known: a plan that root made here is kept until the next boot\n");
        return text;
    };
    for Difference { id, expected, planned } in differences {
        let (sign, hue, what) = match (expected.as_slice(), planned.as_slice()) {
            (expected, []) => ("-", Hue::Bad, format!("planned no more: {}", all(expected))),
            ([], planned) => ("+", Hue::Good, format!("not expected: {}", all(planned))),
            (expected, planned) => ("~", Hue::Look, format!("expected: {}; planned: {}", all(expected), all(planned))),
        };
        text.extend([format!("  {} {id}  {what}\n", style.paint(hue, sign))]);
    }
    text
}

fn all(changes: &[Change]) -> String {
    changes.iter().map(exactly).collect::<Vec<_>>().join(", ")
}
