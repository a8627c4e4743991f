//! Expressions: what stands between `{{` and `}}`, as a tree with places.
use super::value::{Data, Span};

/// Something wrong in a text: where in it, what, and what to say at that place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) span: Span,
    pub(super) title: String,
    pub(super) label: String,
}

/// A node of the tree.
#[derive(Debug, Clone)]
pub(super) struct Expression {
    pub(super) span: Span,
    pub(super) node: Node,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Literal(Data),
    List(Vec<Expression>),
    Name(String),
    Field(Box<Expression>, String),
    Index(Box<Expression>, Box<Expression>),
    Not(Box<Expression>),
    Negative(Box<Expression>),
    Binary(Box<Expression>, Operator, Box<Expression>),
    Default(Box<Expression>, Box<Expression>),
    Join(Box<Expression>, Box<Expression>),
    ToJson(Box<Expression>),
}

/// What stands between two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Plus,
    Minus,
    Times,
    Divided,
    Remainder,
}

/// By how tightly they bind, loosest first; within a row from left to right.
const OPERATORS: [&[(&str, Operator)]; 5] = [
    &[("or", Operator::Or)],
    &[("and", Operator::And)],
    &[
        ("==", Operator::Equal),
        ("!=", Operator::Unequal),
        ("<=", Operator::AtMost),
        ("<", Operator::Less),
        (">=", Operator::AtLeast),
        (">", Operator::Greater),
    ],
    &[("+", Operator::Plus), ("-", Operator::Minus)],
    &[("*", Operator::Times), ("/", Operator::Divided), ("%", Operator::Remainder)],
];
const COMPARISON: usize = 2;
const SYMBOLS: [&str; 20] =
    ["==", "!=", "<=", ">=", "}}", "<", ">", "+", "-", "*", "/", "%", "(", ")", "[", "]", ".", ",", "|", "="];
const WORDS: [&str; 5] = ["and", "or", "not", "true", "false"];
const FILTERS: [&str; 3] = ["default", "join", "tojson"];
const DEEPEST: usize = 64;

/// Returns whether a name may not be used for a variable.
pub(super) fn is_reserved(name: &str) -> bool {
    WORDS.contains(&name) || ["host", "target"].contains(&name)
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Name(String),
    Integer(i64),
    Float(f64),
    Text(String),
    Symbol(&'static str),
    End,
}

/// Reads the expression that begins at `start`, just behind its `{{`, and returns it with the place just behind its `}}`.
pub(super) fn parse(text: &str, start: usize) -> Result<(Expression, usize), Wrong> {
    let mut parser = Parser { text, at: start, token: Token::End, span: Span::default(), depth: 0 };
    parser.advance()?;
    let expression = parser.binary(0)?;
    match parser.token {
        Token::Symbol("}}") => Ok((expression, parser.at)),
        _ => Err(parser.unexpected("an operator or `}}`")),
    }
}

struct Parser<'a> {
    text: &'a str,
    /// Behind the current token.
    at: usize,
    token: Token,
    span: Span,
    depth: usize,
}

impl Parser<'_> {
    fn binary(&mut self, row: usize) -> Result<Expression, Wrong> {
        let Some(operators) = OPERATORS.get(row) else { return self.unary() };
        let mut left = if row == COMPARISON { self.not()? } else { self.binary(row + 1)? };
        while let Some(operator) = self.operator(operators) {
            self.advance()?;
            let right = self.binary(row + 1)?;
            let span = Span { start: left.span.start, end: right.span.end };
            left = Expression { span, node: Node::Binary(Box::new(left), operator, Box::new(right)) };
            if row == COMPARISON && self.operator(operators).is_some() {
                return Err(self.unexpected("`and`, `or` or `}}`: comparisons do not chain"));
            }
        }
        Ok(left)
    }

    fn operator(&self, operators: &[(&str, Operator)]) -> Option<Operator> {
        let text = match &self.token {
            Token::Symbol(symbol) => symbol,
            Token::Name(name) => name.as_str(),
            _ => return None,
        };
        operators.iter().find(|(symbol, _)| *symbol == text).map(|(_, operator)| *operator)
    }

    fn not(&mut self) -> Result<Expression, Wrong> {
        if self.token != Token::Name("not".to_owned()) {
            return self.binary(COMPARISON + 1);
        }
        let start = self.span.start;
        self.advance()?;
        // What is negated may be a whole comparison, and that is read here, so nothing is left for the caller's row.
        let inner = self.deeper(|parser| parser.binary(COMPARISON))?;
        Ok(Expression { span: Span { start, end: inner.span.end }, node: Node::Not(Box::new(inner)) })
    }

    fn unary(&mut self) -> Result<Expression, Wrong> {
        if self.token != Token::Symbol("-") {
            return self.postfix();
        }
        let start = self.span.start;
        self.advance()?;
        let inner = self.deeper(Self::unary)?;
        Ok(Expression { span: Span { start, end: inner.span.end }, node: Node::Negative(Box::new(inner)) })
    }

    fn postfix(&mut self) -> Result<Expression, Wrong> {
        let mut inner = self.primary()?;
        let start = inner.span.start;
        loop {
            let (node, end) = match self.token {
                Token::Symbol(".") if self.span.start == inner.span.end => {
                    self.advance()?;
                    let Token::Name(name) = self.token.clone() else { return Err(self.unexpected("a name")) };
                    let end = self.span.end;
                    self.advance()?;
                    (Node::Field(Box::new(inner), name), end)
                }
                Token::Symbol("[") => {
                    self.advance()?;
                    let index = self.deeper(|parser| parser.binary(0))?;
                    let end = self.span.end;
                    self.expect("]")?;
                    (Node::Index(Box::new(inner), Box::new(index)), end)
                }
                Token::Symbol("|") => {
                    self.advance()?;
                    self.filter(inner)?
                }
                _ => return Ok(inner),
            };
            inner = Expression { span: Span { start, end }, node };
        }
    }

    fn filter(&mut self, inner: Expression) -> Result<(Node, usize), Wrong> {
        let Token::Name(name) = self.token.clone() else { return Err(self.unexpected("a filter")) };
        if !FILTERS.contains(&name.as_str()) {
            let near = super::suggest::nearest(&name, FILTERS).map(|near| format!("did you mean `{near}`?"));
            return Err(Wrong {
                span: self.span,
                title: format!("unknown filter `{name}`"),
                label: near.unwrap_or_else(|| "the filters are `default`, `join` and `tojson`".to_owned()),
            });
        }
        let mut end = self.span.end;
        self.advance()?;
        if name == "tojson" {
            return Ok((Node::ToJson(Box::new(inner)), end));
        }
        self.expect("(")?;
        let argument = Box::new(self.deeper(|parser| parser.binary(0))?);
        end = end.max(self.span.end);
        self.expect(")")?;
        let inner = Box::new(inner);
        Ok((if name == "join" { Node::Join(inner, argument) } else { Node::Default(inner, argument) }, end))
    }

    fn primary(&mut self) -> Result<Expression, Wrong> {
        let span = self.span;
        let node = match self.token.clone() {
            Token::Integer(integer) => Node::Literal(Data::Integer(integer)),
            Token::Float(float) => Node::Literal(Data::Float(float)),
            Token::Text(text) => Node::Literal(Data::String(text)),
            Token::Name(name) if name == "true" || name == "false" => Node::Literal(Data::Boolean(name == "true")),
            Token::Name(name) if !WORDS.contains(&name.as_str()) => Node::Name(name),
            Token::Symbol("(") => {
                self.advance()?;
                let inner = self.deeper(|parser| parser.binary(0))?;
                let end = self.span.end;
                self.expect(")")?;
                return Ok(Expression { span: Span { start: span.start, end }, node: inner.node });
            }
            Token::Symbol("[") => return self.list(),
            _ => return Err(self.unexpected("a value")),
        };
        self.advance()?;
        Ok(Expression { span, node })
    }

    fn list(&mut self) -> Result<Expression, Wrong> {
        let start = self.span.start;
        self.advance()?;
        let mut items = Vec::new();
        while self.token != Token::Symbol("]") {
            items.push(self.deeper(|parser| parser.binary(0))?);
            if self.token != Token::Symbol(",") {
                break;
            }
            self.advance()?;
        }
        let end = self.span.end;
        self.expect("]")?;
        Ok(Expression { span: Span { start, end }, node: Node::List(items) })
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Wrong>) -> Result<T, Wrong> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.unexpected("less nesting"));
        }
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn expect(&mut self, symbol: &'static str) -> Result<(), Wrong> {
        if self.token != Token::Symbol(symbol) {
            return Err(self.unexpected(&format!("`{symbol}`")));
        }
        self.advance()
    }

    fn unexpected(&self, expected: &str) -> Wrong {
        let label = match &self.token {
            Token::End => format!("expected {expected}, but the text ends here"),
            _ => format!("expected {expected}"),
        };
        Wrong { span: self.span, title: "not an expression".to_owned(), label }
    }

    fn advance(&mut self) -> Result<(), Wrong> {
        let rest = &self.text[self.at..];
        let start = self.at + (rest.len() - rest.trim_start().len());
        let rest = &self.text[start..];
        self.span = Span { start, end: start };
        let Some(first) = rest.chars().next() else {
            self.token = Token::End;
            return Ok(());
        };
        let length;
        (self.token, length) = match first {
            '"' | '\'' => quoted(rest, first).ok_or_else(|| Wrong {
                span: Span { start, end: self.text.len() },
                title: "not an expression".to_owned(),
                label: format!("this {first} is never closed"),
            })?,
            '0'..='9' => {
                self.span.end = start + number_length(rest);
                number(&rest[..number_length(rest)]).ok_or_else(|| self.unexpected("a number that fits"))?
            }
            first if first.is_ascii_alphabetic() || first == '_' => {
                let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                (Token::Name(rest[..length].to_owned()), length)
            }
            first => {
                let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) else {
                    self.span.end = start + first.len_utf8();
                    return Err(self.unexpected("an expression"));
                };
                (Token::Symbol(symbol), symbol.len())
            }
        };
        self.span.end = start + length;
        self.at = self.span.end;
        Ok(())
    }
}

/// Reads a quoted text and returns it with its length; a backslash keeps the next character as it is, `\n` is a newline.
fn quoted(text: &str, quote: char) -> Option<(Token, usize)> {
    let mut inner = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => match characters.next()?.1 {
                'n' => inner.push('\n'),
                't' => inner.push('\t'),
                other => inner.push(other),
            },
            _ if character == quote => return Some((Token::Text(inner), at + 1)),
            _ => inner.push(character),
        }
    }
    None
}

fn number_length(text: &str) -> usize {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let whole = digits(text);
    match text[whole..].strip_prefix('.') {
        Some(fraction) if digits(fraction) > 0 => whole + 1 + digits(fraction),
        _ => whole,
    }
}

fn number(text: &str) -> Option<(Token, usize)> {
    let token = if text.contains('.') { Token::Float(text.parse().ok()?) } else { Token::Integer(text.parse().ok()?) };
    Some((token, text.len()))
}
