//! A command line as far as it is written, read against what the commands take.
use super::value::Values;
use super::{Next, Paths};
use clap::{Arg, ArgAction, Command};

/// What was given so far, and what the next word can be.
pub(super) struct Line<'c> {
    command: &'c Command,
    /// Arguments and the values that they were given.
    given: Vec<(&'c Arg, String)>,
    /// The option whose value comes next.
    option: Option<&'c Arg>,
    operands: usize,
    /// After `--` there are none.
    no_options: bool,
}

impl<'c> Line<'c> {
    /// Reads the words before the one at the cursor.
    pub(super) fn read(command: &'c Command, words: &[String]) -> Self {
        let mut line = Self { command, given: Vec::new(), option: None, operands: 0, no_options: false };
        for word in words {
            line.take(word);
        }
        line
    }

    fn take(&mut self, word: &str) {
        if let Some(option) = self.option.take() {
            self.given.push((option, word.to_owned()));
        } else if self.no_options {
            self.operand(word);
        } else if word == "--" {
            self.no_options = true;
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            match (self.long(name), value) {
                (Some(option), None) if takes_value(option) => self.option = Some(option),
                (Some(option), value) => self.given.push((option, value.unwrap_or_default().to_owned())),
                (None, _) => {}
            }
        } else if let Some(shorts) = word.strip_prefix('-').filter(|shorts| !shorts.is_empty()) {
            let last = shorts.chars().last();
            self.option =
                self.command.get_arguments().find(|arg| arg.get_short() == last).filter(|arg| takes_value(arg));
        } else {
            match self.command.find_subcommand(word).filter(|_| self.operands == 0) {
                Some(command) => self.command = command,
                None => self.operand(word),
            }
        }
    }

    fn operand(&mut self, word: &str) {
        self.given.extend(self.next_operand().map(|operand| (operand, word.to_owned())));
        self.operands += 1;
    }

    /// Returns what the next operand is; the last one may be given several times.
    fn next_operand(&self) -> Option<&'c Arg> {
        let several = |arg: &&Arg| matches!(arg.get_action(), ArgAction::Append);
        let operands = self.command.get_positionals().filter(|arg| self.no_options || !arg.is_last_set());
        let operands: Vec<&Arg> = operands.collect();
        operands.get(self.operands).or(operands.last().filter(|arg| several(arg))).copied()
    }

    fn long(&self, name: &str) -> Option<&'c Arg> {
        self.command.get_arguments().find(|arg| arg.get_long() == Some(name))
    }

    /// Returns what may stand next, whatever of it is typed already.
    pub(super) fn next(&self, typed: &str) -> Next {
        let values = Values { command: self.command, given: &self.given };
        if let Some(option) = self.option {
            return values.of(option, typed);
        }
        if typed.starts_with('-') && !self.no_options {
            let Some((option, value)) = typed.split_once('=') else { return self.options() };
            let Some(arg) = self.long(option.trim_start_matches('-')) else { return Next::default() };
            let mut next = values.of(arg, value);
            for (word, _) in &mut next.candidates {
                *word = format!("{option}={word}");
            }
            return next;
        }
        let mut next = self.next_operand().map_or_else(Next::default, |operand| values.of(operand, typed));
        if self.operands == 0 && !self.no_options {
            let commands = self.command.get_subcommands().filter(|command| !command.is_hide_set());
            let named = |command: &Command| (command.get_name().to_owned(), text(command.get_about()));
            next.candidates.extend(commands.map(named));
        }
        next
    }

    /// Returns the options that may still be given.
    fn options(&self) -> Next {
        let may_come = |arg: &&Arg| {
            let again = matches!(arg.get_action(), ArgAction::Append);
            !arg.is_hide_set() && (again || !self.given.iter().any(|(given, _)| given.get_id() == arg.get_id()))
        };
        let named = |arg: &Arg| Some((format!("--{}", arg.get_long()?), text(arg.get_help())));
        let candidates = self.command.get_arguments().filter(may_come).filter_map(named).collect();
        Next { paths: Paths::None, candidates }
    }
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

/// Returns the first sentence of a help text.
pub(super) fn text(help: Option<&clap::builder::StyledStr>) -> String {
    let help = help.map(ToString::to_string).unwrap_or_default();
    let line = help.lines().next().unwrap_or_default();
    line.split_once(". ").map_or(line, |(sentence, _)| sentence).trim_end_matches('.').to_owned()
}
