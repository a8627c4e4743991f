//! The values of expressions, and what is wrong with them.
use crate::recipe::value::{Data, Value};
use crate::recipe::{Span, evaluate, template};

#[test]
fn expressions_have_the_values_that_the_language_gives_them() {
    let mut scope = evaluate::Scope::default();
    let json = r#"{ a = 1, name = "lilly", list = ["x", "y"], nested = [{ id = 201 }], flag = true }"#;
    let parsed = toml::de::DeValue::parse(json).unwrap();
    scope.set("v", Value::from_toml(parsed.get_ref(), Span::default()));
    for (text, expected) in [
        ("{{ 1 + 2 * 3 }}", "7"),
        ("{{ (1 + 2) * 3 }}", "9"),
        ("{{ 7 / 2 }}", "3"),
        ("{{ -7 % 3 }}", "2"),
        ("{{ 1 + 0.5 }}", "1.5"),
        ("{{ 10 - 2 - 3 }}", "5"),
        ("{{ v.a }}", "1"),
        ("{{ 1000 + v.nested[0].id }}", "1201"),
        ("{{ v['name'] }}", "\"lilly\""),
        ("x{{ v.a }}y{{ v.name }}", "\"x1ylilly\""),
        ("{{ v.a }} ", "\"1 \""),
        ("{{ v.list }}", "[\"x\",\"y\"]"),
        ("{{ v.list | join(', ') }}", "\"x, y\""),
        ("{{ v.nested | tojson }}", "\"[{\\\"id\\\":201}]\""),
        ("{{ v.none | default('d') }}", "\"d\""),
        ("{{ v.list[9] | default(v.a) }}", "1"),
        ("{{ v.name | default('d') }}", "\"lilly\""),
        ("{{ not v.flag or v.a == 1 }}", "true"),
        ("{{ not v.a == 2 and v.name < 'm' }}", "true"),
        ("{{ v.list == ['x', 'y'] }}", "true"),
        ("{{ 1 == 1.0 }}", "true"),
        ("{{ 9007199254740993 == 9007199254740992 }}", "false"),
        ("{{ '{{' }}", "\"{{\""),
        ("{{ \"a\\\"}}b\" }}", "\"a\\\"}}b\""),
        ("{{ false and v.name }}", "false"),
        ("{{v.a}}", "1"),
        ("no braces } here {", "\"no braces } here {\""),
    ] {
        let value = evaluate::render(text, &scope).unwrap_or_else(|failures| panic!("{text}: {failures:?}"));
        assert_eq!(value.to_json().to_string(), expected, "{text}");
    }
}

#[test]
fn expressions_that_are_wrong_say_where_and_why() {
    let mut scope = evaluate::Scope::default();
    scope.set("name", Value::text("lilly"));
    scope.set("n", Value::of(Data::Integer(i64::MAX)));
    for (text, title, at) in [
        ("{{ nmae }}", "unknown variable `nmae`", "nmae"),
        ("{{ name + 1 }}", "arithmetic with a string and an integer", "name + 1"),
        ("{{ name == 1 }}", "a string and an integer cannot be compared", "name == 1"),
        ("{{ n + 1 }}", "the result is too large", "n + 1"),
        ("{{ n / 0 }}", "division by zero", "n / 0"),
        ("{{ name.first }}", "a string has no field `first`", "name.first"),
        ("{{ [1][1] }}", "no element 1", "[1][1]"),
        ("{{ not name }}", "`not` takes a boolean", "name"),
        ("{{ name | join(',') }}", "`join` takes a list", "name"),
        ("a{{ [1] }}", "a list cannot stand inside text", "[1]"),
        ("{{ -name }}", "`-` takes a number", "name"),
    ] {
        let failures = evaluate::render(text, &scope).expect_err(text);
        let [evaluate::Failure::Wrong(wrong) | evaluate::Failure::Undefined(wrong)] = failures.as_slice() else {
            panic!("{text}: {failures:?}")
        };
        assert_eq!((wrong.title.as_str(), &text[wrong.span.start..wrong.span.end]), (title, at), "{text}");
    }
}

#[test]
fn what_is_no_expression_is_found_however_odd_it_is() {
    for text in [
        "{{ .X }}",
        "{{ }}",
        "{{ a b }}",
        "{{ a",
        "{{ a | upper }}",
        "{{ 1 < 2 < 3 }}",
        "{{ a.1 }}",
        "{{ 'a }}",
        "{{ $x }}",
        "{{ a = 1 }}",
        "{{ range .Items }}",
        "{{- x -}}",
        "{{ ((((( }}",
        "{{ 99999999999999999999 }}",
        "{{ ü }}",
        "{{ a[ }}",
        "{{",
        "{{{ a }}}",
    ] {
        let (_, wrongs) = template::parse(text);
        assert_eq!(wrongs.len(), 1, "{text}: {wrongs:?}");
        let span = wrongs[0].span;
        assert!(span.start < span.end.max(1) && text.get(span.start..span.end).is_some(), "{text}: {span:?}");
    }
    let deep = format!("{{{{ {}1 }}}}", "(".repeat(100_000));
    assert_eq!(template::parse(&deep).1.len(), 1, "no stack is deep enough for what a file may hold");
    let deep = format!("{{{{ {}1 }}}}", "not ".repeat(100_000));
    assert_eq!(template::parse(&deep).1.len(), 1);
}
