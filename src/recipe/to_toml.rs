//! Makes of a table what serde reads through the TOML parser's types.
use super::value::{Data, Entry, Span, Value};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue, ValueDeserializer};

/// Gives a table, with the place of its header, to `read`.
pub(super) fn with_deserializer<T>(fields: &[Entry], span: Span, read: impl FnOnce(ValueDeserializer<'_>) -> T) -> T {
    let mut numbers = Vec::new();
    for entry in fields {
        collect_numbers(&entry.value, &mut numbers);
    }
    let table = toml_table(fields, &mut numbers.iter());
    read(ValueDeserializer::from(Spanned::new(span.start..span.end, DeValue::Table(table))))
}

fn collect_numbers(value: &Value, texts: &mut Vec<String>) {
    match &value.data {
        Data::Integer(integer) => texts.push(integer.to_string()),
        Data::Float(float) => texts.push(format!("{float:?}")),
        Data::List(items) => items.iter().for_each(|item| collect_numbers(item, texts)),
        Data::Table(entries) => entries.iter().for_each(|entry| collect_numbers(&entry.value, texts)),
        _ => {}
    }
}

fn toml_table<'a>(entries: &'a [Entry], numbers: &mut std::slice::Iter<'a, String>) -> DeTable<'a> {
    entries
        .iter()
        .map(|entry| {
            let key = DeString::Borrowed(entry.key.as_str());
            let span = entry.key_span.start..entry.key_span.end;
            (Spanned::new(span, key), toml_value(&entry.value, numbers))
        })
        .collect()
}

/// Makes what serde reads; numbers come from their texts because the parser alone can make them.
fn toml_value<'a>(value: &'a Value, numbers: &mut std::slice::Iter<'a, String>) -> Spanned<DeValue<'a>> {
    let made = match &value.data {
        Data::Boolean(boolean) => DeValue::Boolean(*boolean),
        Data::Integer(_) | Data::Float(_) => {
            let parsed = numbers.next().and_then(|text| DeValue::parse(text).ok());
            parsed.map_or(DeValue::Boolean(false), Spanned::into_inner)
        }
        Data::String(text) => DeValue::String(DeString::Borrowed(text)),
        Data::List(items) => DeValue::Array(items.iter().map(|item| toml_value(item, numbers)).collect()),
        Data::Table(entries) => DeValue::Table(toml_table(entries, numbers)),
        Data::Absent(_) | Data::Wrong => DeValue::Boolean(false),
    };
    Spanned::new(value.span.start..value.span.end, made)
}
