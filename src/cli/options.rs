//! Options that several commands share.
use crate::resource::Allowed;
use clap::{Args, ValueEnum};
use std::io::IsTerminal;
use std::path::PathBuf;

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(super) struct Global {
    /// Where the ledger, stamps and kept copies are.
    #[arg(long, global = true, value_name = "DIR", default_value = Self::STATE_DIR)]
    pub(super) state_dir: PathBuf,
    /// Where plans are kept until the next boot.
    #[arg(long, global = true, hide = true, value_name = "DIR", default_value = Self::RUN_DIR)]
    pub(super) run_dir: PathBuf,
    /// Whose signatures are trusted: public keys of minisign, `*.pub`.
    #[arg(long, global = true, hide = true, value_name = "DIR", default_value = Self::TRUSTED_DIR)]
    pub(super) trusted_dir: PathBuf,
    /// One event a line, as JSON (docs/events.md), in place of text.
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Colors: on a terminal, always or never. `NO_COLOR` in the environment means never.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(super) color: When,
    /// Says more: what is in sync, and every step.
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,
}

/// When there are colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Global {
    /// Where the ledger is unless it is said otherwise.
    pub(super) const STATE_DIR: &str = "/var/lib/provision";
    /// Where plans are kept unless it is said otherwise.
    pub(super) const RUN_DIR: &str = "/run/provision";
    /// Whose signatures are trusted unless it is said otherwise.
    pub(super) const TRUSTED_DIR: &str = "/etc/provision/trusted.d";

    /// Returns whether stdout takes colors.
    pub(super) fn color(&self) -> bool {
        self.colors(std::io::stdout().is_terminal())
    }

    /// Returns whether stderr takes colors.
    pub(super) fn color_on_stderr(&self) -> bool {
        self.colors(std::io::stderr().is_terminal())
    }

    #[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
    fn colors(&self, terminal: bool) -> bool {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        match self.color {
            When::Always => true,
            When::Never => false,
            When::Auto => terminal && !unwanted && !dumb,
        }
    }
}

/// Which recipe, with which variables.
#[derive(Debug, Clone, Args)]
pub(super) struct RecipeArgs {
    /// The recipe: a file, or the name of one in /etc/provision/recipes or among those that ship; or a bundle, by URL or as
    /// a `.tar`, with `#sha256=DIGEST` at its end or signed by a key in /etc/provision/trusted.d.
    #[arg(value_name = "RECIPE")]
    pub(super) recipe: String,
    /// Sets a variable of the recipe's [vars]; lists and tables as TOML. May be repeated.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) var: Vec<(String, String)>,
}

/// How much of it, and how fast.
#[derive(Debug, Clone, Args)]
pub(super) struct ReachArgs {
    /// Only what this pattern names, such as `201/*` or `*/package:*`; `host/` may be left out. May be repeated.
    #[arg(long, value_name = "GLOB")]
    pub(super) only: Vec<String>,
    /// How many lanes run side by side.
    #[arg(long, value_name = "N", default_value_t = Self::JOBS, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) jobs: u16,
}

impl ReachArgs {
    /// So many lanes unless it is said otherwise.
    pub(super) const JOBS: u16 = 8;
}

/// What needs a person's word, by id.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct AllowArgs {
    /// Takes over what exists and is not ours: a container's id, or any id such as `host/bridge:vmbr1`. May be repeated.
    #[arg(long, value_name = "ID")]
    pub(super) adopt: Vec<String>,
    /// Restarts this container if a change needs it. May be repeated.
    #[arg(long, value_name = "ID")]
    pub(super) restart: Vec<String>,
    /// Destroys this container and makes it anew if a change needs it. May be repeated.
    #[arg(long, value_name = "ID")]
    pub(super) replace: Vec<String>,
    /// Takes away this container, or other data, where the recipe wants it gone. May be repeated.
    #[arg(long, value_name = "ID")]
    pub(super) data: Vec<String>,
}

impl AllowArgs {
    /// Returns it as resources are told.
    pub(super) fn allowed(&self) -> Allowed {
        let set = |list: &[String]| list.iter().cloned().collect();
        Allowed {
            adopt: set(&self.adopt),
            restart: set(&self.restart),
            replace: set(&self.replace),
            data: set(&self.data),
        }
    }
}

pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not KEY=VALUE")),
    }
}
