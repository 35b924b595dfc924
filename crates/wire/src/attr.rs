//! The attribute language: how the wire contract of a kind is written down, once, as a table.
//!
//! A line of a table is `name: Type = verbs;`. The type is the validator (see `types`); the verbs
//! say who may set it, what it is when nobody does, and how it may be asked for. `resource!` turns
//! the lines into a `static` table, a plain struct and typed handles (`at::name`).

use std::marker::PhantomData;

use serde_json::Value as Json;

use crate::value::Value;

/// The fault for a value that is not of its attribute's type, unless the type says otherwise.
pub const BAD_REQUEST: (&str, u16) = ("HTTPBadRequest", 400);
/// The fault of Neutron's general converters.
pub const INVALID_INPUT: (&str, u16) = ("InvalidInput", 400);

/// A type that can be an attribute: how it is read from a request, stored, and shown.
pub trait Wire: Sized {
    /// The column that holds it.
    const COLUMN: Column;
    /// What is accepted, to end the sentence "… must be".
    const ACCEPTS: &'static str;
    /// Reads a caller's JSON. The error completes the sentence: what is wrong with it.
    fn parse(json: &Json) -> Result<Self, String>;
    /// True for what a caller may write instead of null where the attribute may be null.
    fn nothing(json: &Json) -> bool {
        json.is_null()
    }
    /// The wire type and status of the fault for a value that `parse` refuses: Neutron's validators
    /// answer `HTTPBadRequest`, its converters types of their own.
    fn fault(refused: &Json) -> (&'static str, u16) {
        let _ = refused;
        BAD_REQUEST
    }
    /// The stored and shown form.
    fn store(&self) -> Value;
    /// The stored form back; `None` when it is damaged.
    fn load(value: &Value) -> Option<Self>;
    /// What a damaged or absent value reads as.
    fn empty() -> Self;
    /// A query parameter's text as a stored value to compare with; `None`: not of this type.
    fn filter(text: &str) -> Option<Value> {
        match Self::COLUMN {
            Column::Bool => crate::types::truth(&Json::from(text)).map(Value::Bool),
            Column::Int => text.trim().parse().ok().map(Value::Int),
            Column::Text(_) | Column::Json => Some(Value::text(text)),
        }
    }
}

/// The kinds of column, the same three engines over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Boolean.
    Bool,
    /// 64-bit integer.
    Int,
    /// Text of at most so many characters.
    Text(u16),
    /// JSON text of any length.
    Json,
}

/// What an attribute is when the caller of a create says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// The caller must give it.
    Required,
    /// The model chooses.
    Unset,
    /// `null`.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number.
    Int(i64),
    /// A text.
    Text(&'static str),
    /// An empty list.
    List,
}

/// Where an attribute's value comes from when a row is read.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// A column of the kind's own table, named as the field.
    Column,
    /// Rows of a table of its own, read as a JSON list in the same statement.
    Child(&'static Child),
    /// An SQL expression over the kind's table, which is called `t`. `:project` is the caller's
    /// project.
    Sql(&'static str),
    /// Not read from the database: filled in by the model after reading.
    Computed,
    /// Accepted from callers, neither stored nor shown.
    Ask,
}

/// A child table, shown as a list of objects, or of plain values where `keys` has one entry and
/// `flat`.
#[derive(Debug)]
pub struct Child {
    /// The table.
    pub table: &'static str,
    /// Its column that refers to the parent's `id`.
    pub parent: &'static str,
    /// Its columns that are shown, in order, under their own names.
    pub keys: &'static [(&'static str, Column)],
    /// One column, shown without a name.
    pub flat: bool,
    /// The column that orders the list.
    pub order: &'static str,
    /// The parent's column in which SQLite keeps the list, where it is read with every row.
    pub kept: Option<&'static str>,
}

/// One attribute of a kind.
#[derive(Debug)]
pub struct Attr {
    /// The column and the struct's field.
    pub field: &'static str,
    /// The name on the wire.
    pub wire: &'static str,
    /// Verbs, as the table says.
    pub verbs: Verbs,
    /// The column's type.
    pub column: Column,
    /// Ends the sentence "… must be".
    pub accepts: &'static str,
    /// Reads a caller's JSON into the stored form.
    pub parse: fn(&Json) -> Result<Value, String>,
    /// The fault's wire type and status where `parse` refuses.
    pub fault: fn(&Json) -> (&'static str, u16),
    /// True when a stored value converts.
    pub sound: fn(&Value) -> bool,
    /// What a damaged value reads as.
    pub empty: fn() -> Value,
    /// Reads a query parameter.
    pub filter: fn(&str) -> Option<Value>,
}

impl Attr {
    /// An attribute of the type `T`.
    pub const fn of<T: Wire>(field: &'static str, verbs: Verbs) -> Self {
        Self {
            field,
            wire: match verbs.wire {
                Some(name) => name,
                None => field,
            },
            verbs,
            column: T::COLUMN,
            accepts: T::ACCEPTS,
            parse: parse_as::<T>,
            fault: T::fault,
            sound: sound_as::<T>,
            empty: empty_as::<T>,
            filter: T::filter,
        }
    }
}

fn parse_as<T: Wire>(json: &Json) -> Result<Value, String> {
    T::parse(json).map(|parsed| parsed.store())
}

fn sound_as<T: Wire>(value: &Value) -> bool {
    T::load(value).is_some()
}

fn empty_as<T: Wire>() -> Value {
    T::empty().store()
}

/// What a line of a table says after its type.
#[derive(Clone, Copy, Debug)]
pub struct Verbs {
    /// A create may give it.
    pub post: bool,
    /// An update may change it.
    pub put: bool,
    /// Null is refused from callers, although it may be shown.
    pub never_null: bool,
    /// What it is when a create does not give it.
    pub default: Default,
    /// Lists may be filtered by it.
    pub filter: bool,
    /// Lists may be sorted by it.
    pub sort: bool,
    /// It is shown.
    pub visible: bool,
    /// Giving it needs the rule `create_<one>:<name>` or `update_<one>:<name>`, where there is one.
    pub enforce: bool,
    /// The policy may ask for it, so it is read even where `fields` leaves it out.
    pub policy: bool,
    /// Where it comes from.
    pub source: Source,
    /// The extension that brings it; empty: the core.
    pub alias: &'static str,
    /// Its wire name, where that is not the field's.
    pub wire: Option<&'static str>,
}

/// The verbs of the tables, imported by `resource!`.
pub mod verbs {
    use super::{Child, Default, Source, Verbs};

    const NONE: Verbs = Verbs {
        post: false,
        put: false,
        never_null: false,
        default: Default::Required,
        filter: false,
        sort: false,
        visible: true,
        enforce: false,
        policy: false,
        source: Source::Column,
        alias: "",
        wire: None,
    };

    /// Read-only.
    pub const fn ro() -> Verbs {
        Verbs { default: Default::Unset, ..NONE }
    }

    /// Given at creation.
    pub const fn init() -> Verbs {
        Verbs { post: true, ..NONE }
    }

    /// Given at creation and changed by updates.
    pub const fn rw() -> Verbs {
        Verbs { post: true, put: true, ..NONE }
    }

    /// Changed by updates only.
    pub const fn put() -> Verbs {
        Verbs { put: true, default: Default::Unset, ..NONE }
    }

    impl Verbs {
        /// Null is refused from callers, although it may be shown.
        pub const fn never_null(self) -> Self {
            Self { never_null: true, ..self }
        }
        /// Lists may be filtered by it.
        pub const fn filter(self) -> Self {
            Self { filter: true, ..self }
        }
        /// Lists may be sorted by it.
        pub const fn sort(self) -> Self {
            Self { sort: true, ..self }
        }
        /// Never shown.
        pub const fn hidden(self) -> Self {
            Self { visible: false, ..self }
        }
        /// Giving it needs a policy rule of its own.
        pub const fn enforce(self) -> Self {
            Self { enforce: true, ..self }
        }
        /// Rules ask for it.
        pub const fn policy(self) -> Self {
            Self { policy: true, ..self }
        }
        /// Default: this text.
        pub const fn text(self, text: &'static str) -> Self {
            Self { default: Default::Text(text), ..self }
        }
        /// Default: this truth value.
        pub const fn flag(self, truth: bool) -> Self {
            Self { default: Default::Bool(truth), ..self }
        }
        /// Default: this number.
        pub const fn int(self, number: i64) -> Self {
            Self { default: Default::Int(number), ..self }
        }
        /// Default: null.
        pub const fn null(self) -> Self {
            Self { default: Default::Null, ..self }
        }
        /// Default: an empty list.
        pub const fn list(self) -> Self {
            Self { default: Default::List, ..self }
        }
        /// Default: the model chooses.
        pub const fn unset(self) -> Self {
            Self { default: Default::Unset, ..self }
        }
        /// Brought by this extension.
        pub const fn ext(self, alias: &'static str) -> Self {
            Self { alias, ..self }
        }
        /// Called so on the wire.
        pub const fn wire(self, name: &'static str) -> Self {
            Self { wire: Some(name), ..self }
        }
        /// Lives in a table of its own.
        pub const fn child(self, child: &'static Child) -> Self {
            Self { source: Source::Child(child), ..self }
        }
        /// Read through an SQL expression over `t`.
        pub const fn sql(self, expression: &'static str) -> Self {
            Self { source: Source::Sql(expression), ..self }
        }
        /// Filled by the model after reading.
        pub const fn computed(self) -> Self {
            Self { source: Source::Computed, ..self }
        }
        /// Accepted, neither stored nor shown.
        pub const fn ask(self) -> Self {
            Self { source: Source::Ask, visible: false, ..self }
        }
    }
}

/// The wire contract of one kind of thing.
#[derive(Debug)]
pub struct Resource {
    /// The name of one: the body's key, and in rules (`create_port`).
    pub one: &'static str,
    /// The name of the collection: path, body key of lists.
    pub many: &'static str,
    /// The SQL table.
    pub table: &'static str,
    /// The attributes, in the order in which a request's mistakes are reported.
    pub attrs: &'static [Attr],
    /// SQL condition over `t` under which a caller without admin rights sees a row; `:project` is
    /// his project. `1=1`: everybody sees it.
    pub visible: &'static str,
    /// SQL joined after `FROM <table> t`.
    pub join: &'static str,
    /// The extension that brings the kind; empty: the core.
    pub alias: &'static str,
    /// Its rows carry tags.
    pub taggable: bool,
    /// Filters that it does not have are passed over rather than refused.
    pub any_filter: bool,
}

impl Resource {
    /// The usual contract: stored in a table called as the collection, visible to the owning
    /// project.
    pub const fn of(one: &'static str, many: &'static str) -> Self {
        Self {
            one,
            many,
            table: many,
            attrs: &[],
            visible: "t.project_id = :project",
            join: "",
            alias: "",
            taggable: false,
            any_filter: false,
        }
    }

    /// Stored in this table.
    pub const fn table(self, table: &'static str) -> Self {
        Self { table, ..self }
    }
    /// Visible under this SQL condition.
    pub const fn visible(self, visible: &'static str) -> Self {
        Self { visible, ..self }
    }
    /// Read with this join.
    pub const fn join(self, join: &'static str) -> Self {
        Self { join, ..self }
    }
    /// Brought by this extension.
    pub const fn ext(self, alias: &'static str) -> Self {
        Self { alias, ..self }
    }
    /// Carries tags.
    pub const fn taggable(self) -> Self {
        Self { taggable: true, ..self }
    }
    /// Passes over filters that it does not have.
    pub const fn any_filter(self) -> Self {
        Self { any_filter: true, ..self }
    }
    /// With these attributes. Called by `resource!`.
    pub const fn with(self, attrs: &'static [Attr]) -> Self {
        Self { attrs, ..self }
    }

    /// The position of the attribute with this wire name; `tenant_id` is another name of
    /// `project_id`.
    pub fn position(&self, wire: &str) -> Option<usize> {
        let wire = if wire == "tenant_id" { "project_id" } else { wire };
        self.attrs.iter().position(|attr| attr.wire == wire)
    }

    /// The attribute with this wire name.
    pub fn attr(&self, wire: &str) -> Option<&Attr> {
        self.position(wire).and_then(|index| self.attrs.get(index))
    }
}

/// A typed handle of one attribute.
pub struct At<T> {
    /// Its position in the table.
    pub index: usize,
    /// Its field name.
    pub name: &'static str,
    kind: PhantomData<fn() -> T>,
}

impl<T> At<T> {
    /// The handle of the attribute at a position. Made by `resource!`.
    pub const fn new(index: usize, name: &'static str) -> Self {
        Self { index, name, kind: PhantomData }
    }
}

impl<T> Clone for At<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for At<T> {}

/// Declares a kind: its table, its struct, and a handle for each attribute in the module `at`.
///
/// ```
/// mod thing {
///     use wire::{attr::Resource, resource, types::{Id, Text}};
///     resource! {
///         /// A named thing.
///         Thing = Resource::of("thing", "things");
///         id: Id = ro().filter().sort();
///         name: Text<255> = rw().text("").filter().sort();
///     }
/// }
/// assert_eq!(thing::TABLE.attrs.len(), 2);
/// ```
#[macro_export]
macro_rules! resource {
    (
        $(#[$doc:meta])* $name:ident = $table:expr;
        $( $(#[$line:meta])* $field:ident : $kind:ty = $verbs:expr; )*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        #[allow(missing_docs)]
        pub struct $name { $( $(#[$line])* pub $field: $kind, )* }

        /// Typed handles of the attributes.
        #[allow(non_upper_case_globals, non_camel_case_types, missing_docs, unused_imports)]
        pub mod at {
            use super::*;
            #[allow(dead_code)]
            enum Position { $( $field, )* }
            $( pub const $field: $crate::attr::At<$kind> =
                $crate::attr::At::new(Position::$field as usize, stringify!($field)); )*
        }

        /// The wire contract.
        pub static TABLE: $crate::attr::Resource = $table.with(const { &[
            $( $crate::attr::Attr::of::<$kind>(stringify!($field), {
                use $crate::attr::verbs::*;
                $verbs
            }), )*
        ] });

        impl $crate::row::Record for $name {
            fn load(row: &$crate::row::Row) -> Self {
                Self { $( $field: row.get(at::$field), )* }
            }
            fn store(&self) -> $crate::row::Row {
                let mut row = $crate::row::Row::empty(&TABLE);
                $( row.put(at::$field.index, $crate::attr::Wire::store(&self.$field)); )*
                row
            }
        }
    };
}
