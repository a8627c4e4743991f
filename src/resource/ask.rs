//! `Ask`: what the engine knows and a resource may not look up itself.
use super::pending::{Missing, Pending, Thing};
use crate::error::{Error, Result};
use crate::id::{Id, Machine};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

/// Whether a resource should be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Want {
    /// It should.
    #[default]
    Present,
    /// It should not: `state = "absent"`, or `destroy`.
    Absent,
}

/// What the ledger knows of an id on this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// We made it: it was not there before us.
    pub made: bool,
    /// The digest of the recipe's fields when it last held; `None`: it never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// The last outcome was a failure.
    #[serde(default)]
    pub failed: bool,
    /// A destroy left it as it is: nothing is asked of it since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left: bool,
    /// By field, the `to` of the last change that we made.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub last: BTreeMap<String, String>,
    /// What the recipe asked for when we last changed it; `None`: an older version did not keep that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Fields>,
    /// When we first changed it: what a later one stands on has a lower number. 0: an older version did not count.
    #[serde(default)]
    pub nth: u64,
}

/// The rendered fields of a resource without its name, without secrets and without what is large: enough to take it away
/// once no recipe has it any more.
pub type Fields = serde_json::Map<String, serde_json::Value>;

impl Claim {
    /// Returns whether we made it or changed anything of it.
    pub fn is_touched(&self) -> bool {
        self.made || !self.last.is_empty()
    }

    /// Takes over what is ours by another one.
    pub(crate) fn inherit(&mut self, other: Self) {
        self.made |= other.made;
        for (field, last) in other.last {
            self.last.entry(field).or_insert(last);
        }
    }
}

/// A person's word that a gate is passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Who said so.
    pub who: String,
    /// When, to the millisecond.
    #[serde(with = "crate::ledger::time_as_text")]
    pub when: SystemTime,
    /// What they said.
    #[serde(default)]
    pub evidence: String,
}

/// What a person allowed on the command line, by id (`host/container:201`) or, for containers, by their number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Allowed {
    /// Take over what exists and is not ours.
    pub adopt: BTreeSet<String>,
    /// Restart.
    pub restart: BTreeSet<String>,
    /// Destroy and make anew.
    pub replace: BTreeSet<String>,
    /// Destroy with its data.
    pub data: BTreeSet<String>,
}

/// What recipes have, by their names: each thing with the id by which it has it.
pub type HadByOthers = BTreeMap<String, Vec<(Id, Thing)>>;

/// What the ledger and the command line say of one machine; travels in the job.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Known {
    /// Claims of this recipe on this machine.
    pub claims: BTreeMap<Id, Claim>,
    /// Acknowledged gates of this machine.
    pub acks: BTreeMap<Id, Ack>,
    /// What was allowed.
    pub allowed: Allowed,
    /// What of that another recipe has as well.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub shared: BTreeSet<Id>,
    /// In a destroy: what other recipes have on this machine, and by which ids.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub others: HadByOthers,
    /// Keys the digests of what is secret or large.
    pub key: String,
    /// After a plan was shown: what of this machine it takes away. What a person named to go goes only then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_to_go: Option<BTreeSet<Id>>,
    /// Where orphans are looked for: what the recipe still has on this machine, and by which id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub has: Vec<(Id, Thing)>,
}

/// What one resource is asked, and all that it may know besides the machine.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Whether it should be there.
    pub want: Want,
    /// The machine on which it is.
    pub machine: Machine,
    /// Its kind's header.
    pub kind: &'a str,
    /// The bytes of its `source`, rendered where it is a template.
    pub source: Option<&'a [u8]>,
    /// The fields that hold a secret, dotted below the top: `content`, `env.TOKEN`.
    pub secret: &'a BTreeSet<String>,
    /// The fields whose secret is not at hand in a plan: they can't be compared.
    pub unknown: &'a BTreeSet<String>,
    /// All resources of this kind on this machine in this job, itself among them: they are read in one go.
    pub peers: &'a [Peer<'a>],
    /// What this very apply has made of it so far; goes before what is `known`.
    pub fresh: &'a BTreeMap<Id, Claim>,
    /// Claims, acknowledgements, what was allowed.
    pub known: &'a Known,
    /// What earlier steps will supply.
    pub pending: &'a Pending,
    /// How long its programs may take.
    pub timeout: std::time::Duration,
}

/// One name of a resource of the same kind on the same machine.
#[derive(Debug, Clone)]
pub struct Peer<'a> {
    /// Which.
    pub name: String,
    /// Whether it should be there.
    pub want: Want,
    /// What is asked of it.
    pub fields: &'a serde_json::Value,
}

impl Peer<'_> {
    /// Returns what a field of one that should be there says, if it is yes or no.
    pub fn asks(&self, field: &str) -> Option<bool> {
        self.fields.get(field).filter(|_| self.want == Want::Present)?.as_bool()
    }
}

impl<'a> Ask<'a> {
    /// Returns the id of one of its names.
    pub fn id(&self, name: &str) -> Id {
        Id::new(self.machine, self.kind, name)
    }

    /// Returns what the ledger knows of a name.
    pub fn claim(&self, name: &str) -> Option<&'a Claim> {
        let id = self.id(name);
        self.fresh.get(&id).or_else(|| self.known.claims.get(&id))
    }

    /// Returns whether we made it, so that it is ours to take away.
    pub fn ours(&self, name: &str) -> bool {
        self.claim(name).is_some_and(|claim| claim.made)
    }

    /// Returns whether another recipe has one of its names as well.
    pub fn is_shared(&self, name: &str) -> bool {
        self.known.shared.contains(&self.id(name))
    }

    /// Returns whether a field, or anything in it, holds a secret.
    pub fn is_secret(&self, field: &str) -> bool {
        holds(self.secret, field)
    }

    /// Returns whether a field, or anything in it, holds a secret that is not at hand.
    pub fn is_unknown(&self, field: &str) -> bool {
        holds(self.unknown, field)
    }

    /// Returns whether a person named it in such a list, by its id or by its bare name.
    pub fn allows(&self, list: &BTreeSet<String>, name: &str) -> bool {
        let id = self.id(name);
        list.contains(name) || list.contains(&id.to_string()) || list.contains(&id.local())
    }

    /// Returns whether a person named in such a list what goes with its data. What has come to stand there since the plan was
    /// shown was not meant.
    pub fn allows_to_go(&self, list: &BTreeSet<String>, name: &str) -> bool {
        self.allows(list, name) && self.known.shown_to_go.as_ref().is_none_or(|shown| shown.contains(&self.id(name)))
    }

    /// Returns a keyed digest (HMAC-like, SHA-256) of what is secret or large, with its size: `12 B 5f0c…`.
    pub fn digest(&self, bytes: &[u8]) -> String {
        keyed_digest(&self.known.key, bytes)
    }

    /// Returns the step after which a missing thing is there; an error where nothing supplies it, said as `what`.
    /// `Err(Held)` is for the caller to turn into waiting.
    pub fn needs(&self, thing: &Thing, what: impl FnOnce() -> Error) -> Result<Missing> {
        match self.pending.missing(thing) {
            Missing::Nowhere => Err(what()),
            found => Ok(found),
        }
    }
}

/// Returns a keyed digest with the size in front.
pub(crate) fn keyed_digest(key: &str, bytes: &[u8]) -> String {
    let inner = Sha256::new().chain_update(key).chain_update([0]).chain_update(bytes).finalize();
    let outer = Sha256::new().chain_update(key).chain_update([1]).chain_update(inner).finalize();
    let short = outer.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{} B {short:016x}", bytes.len())
}

fn holds(fields: &BTreeSet<String>, field: &str) -> bool {
    fields.iter().any(|held| held == field || held.strip_prefix(field).is_some_and(|rest| rest.starts_with('.')))
}
