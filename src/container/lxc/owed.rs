//! What is written and takes effect at the next start only: noted in the configuration together with the start that it
//! outlives, so that it is owed no more once the container was started again by whomever.
use super::config::{Config, ours};
use super::read::unescaped;
use super::write::escaped;
use crate::container::{Edit, Owed};

/// Notes what stays in effect until the next start: `INSTANCE FIELD [VALUE]`, the field with the escapes of fstab(5).
pub(super) fn owe(config: &mut Config, instance: &str, edit: &Edit) {
    let key = ours("owed");
    for change in &edit.changes {
        let head = format!("{instance} {}", escaped(&change.field));
        let same = |owed: &str| owed == head || owed.strip_prefix(&head).is_some_and(|rest| rest.starts_with(' '));
        let noted = config.all(&key).into_iter().find(|owed| same(owed)).map(str::to_owned);
        match noted {
            // Back to what is in effect: nothing is owed any more.
            Some(owed) if owed[head.len()..].trim_start() == change.to => config.remove_where(&key, same),
            Some(_) => {}
            None => config.push(&key, format!("{head} {}", change.from.as_deref().unwrap_or_default()).trim_end()),
        }
    }
}

/// Returns what is owed in this start of the container.
pub(super) fn owed(config: &Config, instance: Option<&str>) -> Vec<Owed> {
    let owed = |owed: &str| {
        let mut parts = owed.splitn(3, ' ');
        let (of, field, active) = (parts.next()?, parts.next()?, parts.next());
        (Some(of) == instance).then(|| Owed { field: unescaped(field), active: active.map(str::to_owned) })
    };
    config.all(&ours("owed")).into_iter().filter_map(owed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{Changed, Set};

    fn edit(from: &str, to: &str) -> Edit {
        let field = "mounts./mnt/a b".to_owned();
        let changes = vec![Changed { field, from: Some(from.to_owned()), to: to.to_owned() }];
        Edit { changes, set: Set::Hostname(String::new()) }
    }

    #[test]
    fn what_is_owed_is_owed_by_this_start_alone() {
        let mut config = Config::default();
        owe(&mut config, "b:1", &edit("/srv/x, read-only", "/srv/y"));
        let noted = Owed { field: "mounts./mnt/a b".into(), active: Some("/srv/x, read-only".into()) };
        assert_eq!(owed(&config, Some("b:1")), [noted]);
        assert_eq!(owed(&config, Some("b:2")), []);
        assert_eq!(owed(&config, None), []);
    }

    #[test]
    fn the_first_value_stays_in_effect_and_going_back_to_it_settles_the_debt() {
        let mut config = Config::default();
        owe(&mut config, "b:1", &edit("x", "y"));
        owe(&mut config, "b:1", &edit("y", "z"));
        assert_eq!(owed(&config, Some("b:1"))[0].active.as_deref(), Some("x"));
        owe(&mut config, "b:1", &edit("z", "x"));
        assert_eq!(owed(&config, Some("b:1")), []);
    }
}
