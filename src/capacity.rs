//! What the containers of a recipe may take of their host, and what of it the host does not have.
use serde::{Deserialize, Serialize};

/// What all containers of a recipe may take, beside what there is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// The containers, in the order of the recipe.
    pub members: Vec<Member>,
    /// The processors of the host.
    pub cores: u32,
    /// Its memory, in bytes.
    pub memory: u64,
    /// Where disks are.
    pub places: Vec<Place>,
    /// What is asked for beyond that, a sentence each.
    pub over: Vec<String>,
}

/// What a container may take, once the plan is done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Member {
    /// Its id.
    pub id: u32,
    /// Its host name.
    pub hostname: String,
    /// It runs, once all is done: a base does not.
    pub runs: bool,
    /// Its processors; left out: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
    /// Its memory, in bytes; left out: without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Its root file system, in bytes; left out: without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<u64>,
    /// How much of that is not there yet.
    pub new_disk: u64,
    /// Where that is: a storage, or a directory.
    pub place: String,
}

/// Where disks are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its name: a storage, or a directory.
    pub name: String,
    /// Bytes that are free there; left out where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<u64>,
    /// Why it is not known, where somebody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

impl Capacity {
    /// Holds the containers against the host.
    #[must_use]
    pub fn judged(mut self) -> Self {
        let running: Vec<&Member> = self.members.iter().filter(|member| member.runs).collect();
        let mut over = Vec::new();
        let beyond = running.iter().filter(|member| self.cores > 0 && member.cores > Some(self.cores));
        let beyond: Vec<String> = beyond.map(|member| member.id.to_string()).collect();
        if !beyond.is_empty() {
            let are = if beyond.len() == 1 { "container {} is" } else { "containers {} are" }
                .replace("{}", &beyond.join(", "));
            over.push(format!("{are} to have more cores than this host, which has {}", self.cores));
        }
        let memory = running.iter().filter_map(|member| member.memory).sum::<u64>();
        if memory > self.memory && self.memory > 0 {
            let (count, memory, has) = (running.len(), bytes(memory), bytes(self.memory));
            over.push(format!("{count} containers may take {memory} of memory; this host has {has}"));
        }
        for place in &self.places {
            let there = self.members.iter().filter(|member| member.place == place.name);
            let new = there.map(|member| member.new_disk).sum::<u64>();
            if let Some(free) = place.free.filter(|free| new > *free) {
                let (new, free) = (bytes(new), bytes(free));
                over.push(format!("new disks may take {new} of `{}`; {free} are free there", place.name));
            }
        }
        self.over = over;
        self
    }
}

/// Returns a number of bytes for people: `512 MiB`, `31.2 GiB`.
#[expect(clippy::cast_precision_loss, reason = "it is shown with one digit")]
pub(crate) fn bytes(bytes: u64) -> String {
    let unit = |shift: u32| bytes as f64 / (1_u64 << shift) as f64;
    if bytes < 1 << 30 { format!("{:.0} MiB", unit(20)) } else { format!("{:.1} GiB", unit(30)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn two_on(cores: u32, memory: u64, free: Option<u64>) -> Vec<String> {
        let member = |id| Member {
            id,
            runs: true,
            cores: Some(4),
            memory: Some(4 * GIB),
            disk: Some(40 * GIB),
            new_disk: 30 * GIB,
            place: "fast".to_owned(),
            ..Member::default()
        };
        let place = |name: &str, free| Place { name: name.to_owned(), free, unknown: None };
        let base = Member { runs: false, new_disk: 0, ..member(200) };
        let places = vec![place("fast", free), place("slow", Some(0))];
        let members = vec![base, member(201), member(202)];
        Capacity { members, cores, memory, places, ..Capacity::default() }.judged().over
    }

    #[test]
    fn what_fits_is_no_warning_and_what_does_not_says_how_much() {
        assert_eq!(two_on(4, 8 * GIB, Some(60 * GIB)), Vec::<String>::new());
        assert_eq!(two_on(0, 0, None), Vec::<String>::new(), "what is not known is not held against them");
        assert_eq!(
            two_on(2, 6 * GIB, Some(20 * GIB)),
            [
                "containers 201, 202 are to have more cores than this host, which has 2",
                "2 containers may take 8.0 GiB of memory; this host has 6.0 GiB",
                "new disks may take 60.0 GiB of `fast`; 20.0 GiB are free there"
            ]
        );
    }

    #[test]
    fn bytes_are_shown_as_people_say_them() {
        assert_eq!([bytes(512 << 20), bytes(4 * GIB), bytes(33 * GIB / 2)], ["512 MiB", "4.0 GiB", "16.5 GiB"]);
    }
}
