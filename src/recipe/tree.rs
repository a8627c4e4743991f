//! Finds parts of a table by where they stand, to take them out or to put others in.
use super::stand_in::StandIns;
use super::value::{Data, Entry, Span, Value};

/// Takes out what stands at a place, be it a key, a value or an element, the outermost first.
pub(super) fn take(
    entries: &mut Vec<Entry>,
    table: Span,
    span: Span,
    path: &mut Vec<String>,
    stand_ins: &mut StandIns,
) -> Option<(Span, Value)> {
    if let Some(at) = entries.iter().position(|entry| entry.key_span == span || entry.value.span == span) {
        let entry = entries.remove(at);
        path.push(entry.key);
        return Some((table, entry.value));
    }
    for entry in entries {
        path.push(entry.key.clone());
        if let Some(taken) = take_within(&mut entry.value, table, span, path, stand_ins) {
            return Some(taken);
        }
        path.pop();
    }
    None
}

fn take_within(
    value: &mut Value,
    table: Span,
    span: Span,
    path: &mut Vec<String>,
    stand_ins: &mut StandIns,
) -> Option<(Span, Value)> {
    match &mut value.data {
        Data::Table(entries) => take(entries, value.span, span, path, stand_ins),
        Data::List(items) => match items.iter().position(|item| item.span == span) {
            // An empty list would be a mistake that nobody made.
            Some(0) if items.len() == 1 => Some((table, std::mem::replace(&mut items[0], stand_ins.make()))),
            Some(at) => Some((table, items.remove(at))),
            None => items.iter_mut().find_map(|item| take_within(item, table, span, path, stand_ins)),
        },
        _ => None,
    }
}

pub(super) fn find_table(entries: &mut [Entry], span: Span) -> Option<&mut Vec<Entry>> {
    entries.iter_mut().find_map(|entry| table_within(&mut entry.value, span))
}

fn table_within(value: &mut Value, span: Span) -> Option<&mut Vec<Entry>> {
    match &mut value.data {
        Data::Table(entries) => {
            if value.span == span {
                return Some(entries);
            }
            find_table(entries, span)
        }
        Data::List(items) => items.iter_mut().find_map(|item| table_within(item, span)),
        _ => None,
    }
}

/// Returns the keys that lead to the table at a place.
pub(super) fn path_of_table(entries: &[Entry], span: Span) -> Option<Vec<String>> {
    fn within(value: &Value, span: Span) -> Option<Vec<String>> {
        match &value.data {
            Data::Table(_) if value.span == span => Some(Vec::new()),
            Data::Table(entries) => path_of_table(entries, span),
            Data::List(items) => items.iter().find_map(|item| within(item, span)),
            _ => None,
        }
    }
    entries.iter().find_map(|entry| {
        let mut path = within(&entry.value, span)?;
        path.insert(0, entry.key.clone());
        Some(path)
    })
}

pub(super) fn replace(entries: &mut [Entry], value: &Value) -> Option<()> {
    fn within(value: &mut Value, new: &Value) -> bool {
        if value.span.start == new.span.start {
            *value = new.clone();
            return true;
        }
        match &mut value.data {
            Data::Table(entries) => entries.iter_mut().any(|entry| within(&mut entry.value, new)),
            Data::List(items) => items.iter_mut().any(|item| within(item, new)),
            _ => false,
        }
    }
    entries.iter_mut().any(|entry| within(&mut entry.value, value)).then_some(())
}
