//! A base: a container that is stopped and stays as it is, for others to be cloned from. Its configuration says so.
use super::config::{Config, ours};
use super::host::Host;
use super::store::{known_config, write_config};
use super::{read, state};
use crate::container::Settings;
use crate::error::{Error, Result};
use crate::system::System;

/// Returns whether a configuration is that of a base.
pub(super) fn is_base(config: &Config) -> bool {
    config.get(&ours("base")) == Some("1")
}

/// Makes a base of a container that is stopped.
pub(super) fn seal(sys: &dyn System, id: u32) -> Result<()> {
    let mut config = known_config(sys, id)?;
    config.set(&ours("base"), "1");
    config.set("lxc.start.auto", "0");
    write_config(sys, id, &config)
}

/// Returns the settings of a base that can be copied: nothing writes into it.
pub(super) fn origin(sys: &dyn System, id: u32) -> Result<Settings> {
    let config = known_config(sys, id)?;
    let refused = |why: &str| Error::new(format!("cloning container {id}")).reason(why);
    if !is_base(&config) || config.get(&ours("lock")).is_some() {
        return Err(refused("it is no base"));
    }
    if state::runs_now(sys, id)? {
        return Err(refused("it runs: a base is stopped").remedy(format!("`lxc-stop -n {id}`, then run again")));
    }
    Ok(read::settings(&config, &*Host::of(sys)?))
}
