//! Puts what was built in stages and lanes, and names the phases.
use super::load::Slot;
use super::unique::Built;
use super::{Lane, Stage};

/// Puts what was built in stages, and names the phases.
pub(super) fn stages(built: Vec<Built>, mut phases: Vec<String>) -> (Vec<Stage>, Vec<String>) {
    let named = !phases.is_empty();
    let mut stages: Vec<Stage> = Vec::new();
    let mut last = None;
    for Built { item, slot, .. } in built {
        if let Some(phase) = &item.job.phase
            && !named
            && !phases.contains(phase)
        {
            phases.push(phase.clone());
        }
        let at = if let Slot::Lane { stage, .. } = &slot { Some(*stage) } else { None };
        if stages.is_empty() || at != last {
            stages.push(if at.is_some() { Stage::Lanes(Vec::new()) } else { Stage::Plain(Vec::new()) });
            last = at;
        }
        match (stages.last_mut(), slot) {
            (Some(Stage::Plain(items)), _) => items.push(item),
            (Some(Stage::Lanes(lanes)), Slot::Lane { name, .. }) => {
                match lanes.iter_mut().find(|lane| lane.name == name) {
                    Some(lane) => lane.items.push(item),
                    None => lanes.push(Lane { name, items: vec![item] }),
                }
            }
            _ => {}
        }
    }
    (stages, phases)
}
