//! `[[gate]]`: what only a person can do; it is passed or waits, and what names it with `gate` waits with it.
use super::probe::Probe;
use super::{Ask, Mistake, Plan, Resource, Waiting, Want};
use crate::error::Result;
use crate::field::{Period, Text, UserName};
use crate::system::{System, shell_word};
use serde::Deserialize;
use std::time::Duration;

/// A question that takes longer counts as not answered: whoever looks should not wait for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What only a person can do. A gate that is not passed *waits*, and so does what names it with `gate`; nothing
/// else does.
///
/// The ledger keeps who acknowledged a gate, when, and with which evidence.
///
/// ```toml
/// [[gate]]
/// name         = "claude"
/// instructions = "provision enter 201; su - lilly; claude login"
/// done-when    = ["test", "-s", "/home/lilly/.claude/.credentials.json"]
///
/// [[unit]]
/// name    = "max-agent@claude.service"
/// gate    = "claude"
/// enabled = true
/// active  = true
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Gate {
    /// By which others name it.
    name: Text,
    /// What a person does.
    instructions: Text,
    /// Passed when this program exits 0, or this URL answers well. Without it a person says so: `provision ack ID`.
    done_when: Option<Probe>,
    /// Default: `root`. As whom that program runs.
    user: Option<UserName>,
    /// Default: `"1h"`. How old a URL's answer may be within a run; `"0s"` asks each time.
    #[serde(default = "hour")]
    cache: Period,
}

fn hour() -> Period {
    Period(Duration::from_hours(1))
}

impl Resource for Gate {
    fn names(&self) -> Vec<String> {
        vec![self.name.0.clone()]
    }

    fn check<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        if ask.want == Want::Absent || self.is_passed(ask, sys) {
            return Ok(Plan::in_sync());
        }
        let waiting = Waiting {
            name: self.name.0.clone(),
            because: self.first_line(),
            remedy: self.remedy(ask),
            supplies: Vec::new(),
        };
        Ok(Plan { waiting: vec![waiting], ..Plan::default() })
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if self.instructions.trim().is_empty() {
            mistakes.push(Mistake::at("instructions", "`instructions` are empty: they say what a person does"));
        }
        mistakes.extend(self.done_when.as_ref().and_then(|probe| probe.mistakes("done-when")));
        if self.user.is_some() && !matches!(self.done_when, Some(Probe::Argv(_))) {
            mistakes.push(Mistake::at("user", "`user` is for the program in `done-when`"));
        }
        mistakes
    }
}

impl Gate {
    /// Whatever keeps the question from being asked (no such program, user or server yet) means: not passed.
    fn is_passed(&self, ask: &Ask<'_>, sys: &dyn System) -> bool {
        let user = self.user.as_ref().map(|user| user.0.as_str());
        let timeout = ask.timeout.min(PATIENCE);
        match &self.done_when {
            None => ask.known.acks.contains_key(&ask.id(&self.name)),
            Some(probe @ Probe::Argv(_)) => probe.ask(sys, user, timeout).is_ok(),
            Some(Probe::Http(http)) if self.cache.0.is_zero() => http.ask(sys, timeout).is_ok(),
            Some(Probe::Http(http)) => {
                let fact = format!("gate {:?}", (&http.url, http.status, &http.contains));
                sys.facts().get(&fact, || http.ask(sys, timeout)).is_ok()
            }
        }
    }

    fn first_line(&self) -> String {
        let mut lines = self.instructions.lines().map(str::trim).filter(|line| !line.is_empty());
        let first = lines.next().unwrap_or_default();
        if lines.next().is_some() { format!("{first} …") } else { first.to_owned() }
    }

    /// What the first line does not say already.
    fn remedy(&self, ask: &Ask<'_>) -> Option<String> {
        let whole = self.instructions.trim();
        let ack = format!("provision ack {}", shell_word(&ask.id(&self.name).to_string()));
        match (&self.done_when, whole.contains('\n')) {
            (Some(_), false) => None,
            (Some(_), true) => Some(whole.to_owned()),
            (None, false) => Some(ack),
            (None, true) => Some(format!("{whole}\n{ack}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(fields: &str) -> Gate {
        toml::from_str(&format!("name = \"x\"\n{fields}")).unwrap()
    }

    #[test]
    fn the_first_line_says_why_and_whether_there_is_more() {
        assert_eq!(gate("instructions = \"log in\"").first_line(), "log in");
        assert_eq!(gate("instructions = \"\\n  log in\\nthen out\\n\"").first_line(), "log in …");
    }

    #[test]
    fn a_gate_with_nothing_to_do_or_a_user_for_nothing_is_a_mistake() {
        assert_eq!(gate("instructions = \" \"").mistakes().len(), 1);
        assert_eq!(gate("instructions = \"a\"\nuser = \"lilly\"").mistakes().len(), 1);
        assert_eq!(
            gate("instructions = \"a\"\nuser = \"lilly\"\ndone-when = { url = \"http://x/\" }").mistakes().len(),
            1
        );
        assert!(gate("instructions = \"a\"\nuser = \"lilly\"\ndone-when = [\"true\"]").mistakes().is_empty());
    }
}
