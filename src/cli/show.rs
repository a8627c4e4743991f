//! How a run is shown: lines or JSON, the checklist, with bars beneath where there is a terminal that can show them.
use super::options::{Global, RecipeArgs};
use super::print::warn;
use crate::id::Id;
use crate::interrupt;
use crate::recipe::{Recipe, Stage};
use crate::report::{Above, Bars, Checklist, Json, Lines, Reporter, Silent, Style, Terminal};
use std::collections::BTreeSet;
use std::io::{ErrorKind, IsTerminal, Stdout, Write};

/// Makes a reporter for a recipe, with the ids whose last outcome was a failure.
pub(super) type Show<'a> = Box<dyn FnOnce(&Recipe, BTreeSet<Id>) -> Box<dyn Reporter> + 'a>;

/// Shows a run as lines, or as JSON.
pub(super) fn lines<'a>(global: &'a Global, args: &'a RecipeArgs) -> Show<'a> {
    let named = args.recipe.clone();
    Box::new(move |recipe, _| {
        let style = style(global);
        if global.json {
            return Box::new(Json::new(Out::default()));
        }
        if !takes_bars() {
            return Box::new(Lines::new(Out::default(), style, &named));
        }
        Box::new(bars(style, recipe, |above| Box::new(Lines::new(above, style, &named))))
    })
}

/// Shows the checklist, or JSON.
pub(super) fn checklist(global: &Global) -> Show<'_> {
    Box::new(move |recipe, failed| {
        let (style, phases, names) = (style(global), recipe.phases.clone(), lanes(recipe));
        if global.json {
            return Box::new(Json::new(Out::default()));
        }
        if !takes_bars() {
            return Box::new(Checklist::new(Out::default(), style, phases, names, failed));
        }
        Box::new(bars(style, recipe, |above| Box::new(Checklist::new(above, style, phases, names, failed))))
    })
}

/// Shows nothing.
pub(super) fn silence<'a>() -> Show<'a> {
    Box::new(|_, _| Box::new(Silent))
}

/// Returns how text looks on stdout.
pub(super) fn style(global: &Global) -> Style {
    Style {
        color: global.color(),
        width: window().map_or(100, |(columns, _)| columns.max(20)),
        verbose: global.verbose,
    }
}

fn bars(style: Style, recipe: &Recipe, reporter: impl FnOnce(Above) -> Box<dyn Reporter>) -> Bars {
    Bars::new(Window(std::io::stdout()), style, lanes(recipe).len(), interrupt::is_raised, reporter)
}

/// Returns whether stdout can show bars. Not where it is a pipe and stderr a terminal: who reads the pipe may well write to
/// that terminal too.
#[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
fn takes_bars() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Stdout that is no terminal. That it can't be written is said once, on stderr: a run ends no sooner for it.
#[derive(Default)]
struct Out {
    is_told: bool,
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = std::io::stdout().write_all(bytes).and_then(|()| std::io::stdout().flush());
        match &written {
            Err(error) if error.kind() != ErrorKind::BrokenPipe && !self.is_told => {
                self.is_told = true;
                warn(&format!("what this run says could not be written: {error}; it goes on all the same"));
            }
            _ => {}
        }
        written.map(|()| bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The terminal that stdout is.
struct Window(Stdout);

impl Terminal for Window {
    fn size(&self) -> (usize, usize) {
        window().unwrap_or((80, 24))
    }
}

impl Write for Window {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// Returns the columns and rows of the terminal; `None` where there is none, or it does not know.
fn window() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then(|| (usize::from(size.ws_col), usize::from(size.ws_row)))
}

/// Returns the names of a recipe's lanes, in the order of their first stage.
fn lanes(recipe: &Recipe) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for stage in &recipe.stages {
        let Stage::Lanes(lanes) = stage else { continue };
        for lane in lanes {
            if !names.contains(&lane.name) {
                names.push(lane.name.clone());
            }
        }
    }
    names
}
