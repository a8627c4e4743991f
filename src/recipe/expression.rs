//! Expressions: what stands between `{{` and `}}`, as a tree with places.
use super::token::{self, Token};
use super::value::{Data, Span};

/// Something wrong in a text: where in it, what, and what to say at that place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) span: Span,
    pub(super) title: String,
    pub(super) label: String,
}

/// The title of what is no expression, until the text between its braces is put there.
pub(super) const NO_EXPRESSION: &str = "not an expression";

impl Wrong {
    /// Returns what is wrong with a text that is no expression.
    pub(super) fn no_expression(span: Span, label: impl Into<String>) -> Self {
        Self { span, title: NO_EXPRESSION.to_owned(), label: label.into() }
    }
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
const WORDS: [&str; 5] = ["and", "or", "not", "true", "false"];
const FILTERS: [&str; 3] = ["default", "join", "tojson"];
const DEEPEST: usize = 64;

/// Returns whether a name may not be used for a variable.
pub(super) fn is_reserved(name: &str) -> bool {
    WORDS.contains(&name) || ["host", "target"].contains(&name)
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

    fn advance(&mut self) -> Result<(), Wrong> {
        let (token, span) = token::next(self.text, self.at)?;
        (self.token, self.span, self.at) = (token, span, span.end);
        Ok(())
    }

    fn unexpected(&self, expected: &str) -> Wrong {
        let end = if self.token == Token::End { ", but the text ends here" } else { "" };
        Wrong::no_expression(self.span, format!("expected {expected}{end}"))
    }
}
