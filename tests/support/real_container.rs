//! The container kind on this machine's own LXC, as root: everything that the fake machine can only claim. For the
//! end-to-end binary: `all` wants a template, a free id and a free bridge name, and leaves nothing behind.
mod bench;
mod fields;
mod hand;
mod life;

use bench::Bench;
use std::path::PathBuf;

pub type Done = Result<(), String>;
type Step = fn(&mut Bench<'_>) -> Done;

/// Where the containers of these tests live.
pub struct Lab<'a> {
    pub id: u32,
    pub bridge: &'a str,
    /// The first three numbers of a network of /24 that nobody uses.
    pub net: &'a str,
    pub template: PathBuf,
}

/// Everything, one after another; the error says what was seen instead.
pub fn all(lab: &Lab<'_>, say: &dyn Fn(&str)) -> Done {
    let mut bench = Bench::new(lab)?;
    let steps: &[(&str, Step)] = &[
        ("an unpacking that is cut off is done again", life::unpacking_cut_off),
        ("a container is made, booted and in sync", life::made_and_booted),
        ("a plan that changes nothing starts no program", life::no_op_starts_nothing),
        ("the binary is pushed once and older ones go", life::binary_is_pushed),
        ("drift by hand is repaired, live", fields::drift_is_repaired),
        ("edits of live fields are made at once", fields::live_edits),
        ("what needs a restart waits for a word", fields::restart_waits),
        ("a stopped one is started, one that should not run is stopped", life::start_and_stop),
        ("a mount that was taken away comes back", fields::mounts_come_back),
        ("what only a new container can have waits for a word", life::replace_waits),
        ("one that lxc-create made is imported, adopted and left as it is", hand::one_of_lxc_create_is_imported),
        ("a foreign one is not touched before it is adopted", life::adoption),
        ("it goes with its data only when that is named", life::destruction),
    ];
    for (what, step) in steps {
        let begun = std::time::Instant::now();
        step(&mut bench).map_err(|why| format!("{what}: {why}"))?;
        say(&format!("{what} ({:.1} s)", begun.elapsed().as_secs_f64()));
    }
    Ok(())
}
