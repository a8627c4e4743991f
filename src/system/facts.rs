//! What was read of a machine and still holds: parsed once, forgotten after each step that may have changed it.
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A cache of parsed readings by name, such as `passwd` or `dpkg`. A name always holds one type.
#[derive(Default)]
pub struct Facts {
    known: Mutex<BTreeMap<String, Arc<dyn Any + Send + Sync>>>,
}

impl Facts {
    /// Returns the reading of that name, made by `read` where it is not known yet.
    ///
    /// # Errors
    /// Those of `read`; a failed reading is not kept.
    pub fn get<T: Any + Send + Sync, E>(&self, name: &str, read: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some(fact) = known.and_then(|fact| fact.downcast::<T>().ok()) {
            return Ok(fact);
        }
        let fact = Arc::new(read()?);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), fact.clone());
        Ok(fact)
    }

    /// Forgets everything.
    pub fn forget(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
