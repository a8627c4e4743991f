//! The operators of expressions: logic, comparison, arithmetic.
use super::evaluate::{Evaluated, Failure, Scope, evaluate, owned, wrong};
use super::expression::{Expression, Operator};
use super::value::{Data, Span, Value};

/// Returns the value of an operator between two operands; `and` and `or` leave the right one alone where the left decides.
pub(super) fn binary<'s>(
    left: &Expression,
    operator: Operator,
    right: &Expression,
    span: Span,
    scope: &'s Scope,
) -> Evaluated<'s> {
    let first = evaluate(left, scope)?;
    if matches!(operator, Operator::And | Operator::Or) {
        let word = if operator == Operator::And { "and" } else { "or" };
        let boolean = truth(&first, left.span, word)?;
        if boolean == (operator == Operator::Or) {
            return Ok(owned(Data::Boolean(boolean), first.taint));
        }
        let second = evaluate(right, scope)?;
        let boolean = truth(&second, right.span, word)?;
        return Ok(owned(Data::Boolean(boolean), first.taint | second.taint));
    }
    let second = evaluate(right, scope)?;
    let taint = first.whole_taint() | second.whole_taint();
    let data = match operator {
        Operator::Equal => Data::Boolean(equal(&first, &second, span)?),
        Operator::Unequal => Data::Boolean(!equal(&first, &second, span)?),
        Operator::Less | Operator::AtMost | Operator::Greater | Operator::AtLeast => {
            Data::Boolean(ordered(&first, &second, operator, span)?)
        }
        _ => arithmetic(&first, &second, operator, span)?,
    };
    Ok(owned(data, taint))
}

fn equal(left: &Value, right: &Value, span: Span) -> Result<bool, Failure> {
    Ok(match (&left.data, &right.data) {
        (Data::Boolean(left), Data::Boolean(right)) => left == right,
        (Data::Integer(left), Data::Integer(right)) => left == right,
        (Data::String(left), Data::String(right)) => left == right,
        (Data::List(_), Data::List(_)) | (Data::Table(_), Data::Table(_)) => left.to_json() == right.to_json(),
        _ => match numbers(left, right) {
            Some((left, right)) => left.total_cmp(&right).is_eq(),
            None => return Err(never(left, right, span)),
        },
    })
}

fn ordered(left: &Value, right: &Value, operator: Operator, span: Span) -> Result<bool, Failure> {
    let order = match (&left.data, &right.data) {
        (Data::String(left), Data::String(right)) => left.cmp(right),
        (Data::Integer(left), Data::Integer(right)) => left.cmp(right),
        _ => {
            let (left, right) = numbers(left, right).ok_or_else(|| never(left, right, span))?;
            left.total_cmp(&right)
        }
    };
    Ok(match operator {
        Operator::Less => order.is_lt(),
        Operator::AtMost => order.is_le(),
        Operator::Greater => order.is_gt(),
        _ => order.is_ge(),
    })
}

fn never(left: &Value, right: &Value, span: Span) -> Failure {
    let title = format!("{} and {} cannot be compared", left.kind(), right.kind());
    wrong(span, title, "both sides must have one type")
}

fn arithmetic(left: &Value, right: &Value, operator: Operator, span: Span) -> Result<Data, Failure> {
    if let (Data::Integer(left), Data::Integer(right)) = (&left.data, &right.data) {
        if *right == 0 && matches!(operator, Operator::Divided | Operator::Remainder) {
            return Err(wrong(span, "division by zero", "the right side is 0"));
        }
        let result = match operator {
            Operator::Plus => left.checked_add(*right),
            Operator::Minus => left.checked_sub(*right),
            Operator::Times => left.checked_mul(*right),
            Operator::Divided => left.checked_div_euclid(*right),
            _ => left.checked_rem_euclid(*right),
        };
        return result.map(Data::Integer).ok_or_else(|| overflow(span));
    }
    let Some((first, second)) = numbers(left, right) else {
        let title = format!("arithmetic with {} and {}", left.kind(), right.kind());
        return Err(wrong(span, title, "both sides must be numbers; texts are joined by writing `{{ a }}{{ b }}`"));
    };
    Ok(Data::Float(match operator {
        Operator::Plus => first + second,
        Operator::Minus => first - second,
        Operator::Times => first * second,
        Operator::Divided => first / second,
        _ => first.rem_euclid(second),
    }))
}

#[expect(clippy::cast_precision_loss, reason = "an integer beside a float is read as one")]
fn numbers(left: &Value, right: &Value) -> Option<(f64, f64)> {
    let number = |value: &Value| match value.data {
        Data::Integer(integer) => Some(integer as f64),
        Data::Float(float) => Some(float),
        _ => None,
    };
    Some((number(left)?, number(right)?))
}

/// Returns the negative of a number.
pub(super) fn negative<'s>(inner: &Expression, span: Span, scope: &'s Scope) -> Evaluated<'s> {
    let value = evaluate(inner, scope)?;
    let data = match value.data {
        Data::Integer(integer) => Data::Integer(integer.checked_neg().ok_or_else(|| overflow(span))?),
        Data::Float(float) => Data::Float(-float),
        _ => return Err(wrong(inner.span, "`-` takes a number", format!("this is {}", value.kind()))),
    };
    Ok(owned(data, value.taint))
}

/// Returns the truth of what stands beside `word`.
pub(super) fn truth(value: &Value, span: Span, word: &str) -> Result<bool, Failure> {
    match value.data {
        Data::Boolean(boolean) => Ok(boolean),
        _ => Err(wrong(span, format!("`{word}` takes a boolean"), format!("this is {}", value.kind()))),
    }
}

fn overflow(span: Span) -> Failure {
    wrong(span, "the result is too large", "numbers here have 64 bits")
}
