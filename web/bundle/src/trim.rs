//! What the compiler has to leave in a module and this page never needs: the way to a panic's message, the standard library's
//! formatting of floats, functions that are there more than once.
//!
//! Rust's standard library comes compiled, so no option of a stable compiler takes these out. Their names are the
//! compiler's own business: when none is found any more, the page is larger and otherwise the same.

use rustc_demangle::demangle;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use walrus::ir::{
    Call, CallIndirect, Instr, InstrSeq, LocalGet, LocalSet, LocalTee, Unreachable, Value, Visitor,
    VisitorMut, dfs_in_order, dfs_pre_order_mut,
};
use walrus::{
    ConstExpr, DataKind, ElementItems, ExportItem, FunctionBuilder, FunctionId, FunctionKind, LocalFunction,
    LocalId, Module, TypeId,
};

/// Functions of the standard library, and what the page exports to stand for them (`viz-wasm/src/plain.rs`).
const PLAIN: [(&str, &str); 3] = [
    ("<f64 as core::fmt::Display>::fmt", "plain_float"),
    ("<core::fmt::Formatter>::pad", "plain_text"),
    ("<core::fmt::Formatter>::pad_integral", "plain_integer"),
];

/// Functions that write a panic's message, which goes nowhere: in a browser a panic is the trap that follows. None of them
/// returns; what only asks whether there is a panic, as a lock does, is not among them.
fn panics(name: &str) -> bool {
    name.contains("core::panicking::")
        || name.contains("std::panicking::")
            && !name.contains("panic_count")
            && !name.ends_with("::panicking")
        || matches!(
            name,
            "alloc::alloc::handle_alloc_error"
                | "alloc::raw_vec::handle_error"
                | "alloc::raw_vec::capacity_overflow"
        )
        || ["core::slice::", "core::str::", "core::option::", "core::result::", "core::cell::"]
            .iter()
            .any(|place| name.starts_with(place))
            && ["_fail", "_failed"].iter().any(|end| name.ends_with(end))
}

/// Before the glue is made. Gives what was looked for and not found.
pub fn replace(module: &mut Module) -> Vec<&'static str> {
    let names: Vec<(FunctionId, String)> = module
        .funcs
        .iter()
        .filter_map(|function| Some((function.id(), format!("{:#}", demangle(function.name.as_deref()?)))))
        .collect();
    let mut missing = Vec::new();

    let mut to = HashMap::new();
    for (theirs, ours) in PLAIN {
        let found = names.iter().find(|(_, name)| name == theirs).map(|(id, _)| *id);
        let export = module.exports.iter().find(|export| export.name == ours);
        match (found, export.map(|export| (export.id(), export.item))) {
            (Some(found), Some((export, ExportItem::Function(ours)))) => {
                module.exports.delete(export);
                to.insert(found, ours);
            }
            _ => missing.push(theirs),
        }
    }
    redirect(module, &to);

    let mut traps: HashSet<FunctionId> =
        names.iter().filter(|(_, name)| panics(name)).map(|(id, _)| *id).collect();
    if traps.is_empty() {
        missing.push("core::panicking");
    }
    for id in &traps {
        if let FunctionKind::Local(function) = &mut module.funcs.get_mut(*id).kind {
            let entry = function.entry_block();
            function.block_mut(entry).instrs = vec![(Unreachable {}.into(), Default::default())];
        }
    }
    // A function that does nothing but call one of them is another.
    loop {
        let mut more = Vec::new();
        for (id, function) in module.funcs.iter_local_mut() {
            let entry = function.entry_block();
            dfs_pre_order_mut(&mut Trap { traps: &traps }, function, entry);
            let only = matches!(function.block(entry).instrs.as_slice(), [(Instr::Unreachable(_), _)]);
            if only && !traps.contains(&id) {
                more.push(id);
            }
        }
        if more.is_empty() {
            break;
        }
        traps.extend(more);
    }
    walrus::passes::gc::run(module);
    missing
}

/// Ends what leads to a trap where nothing else can happen any more.
struct Trap<'a> {
    traps: &'a HashSet<FunctionId>,
}

impl VisitorMut for Trap<'_> {
    fn start_instr_seq_mut(&mut self, seq: &mut InstrSeq) {
        let end = seq.instrs.iter().position(|(instr, _)| match instr {
            Instr::Unreachable(_) => true,
            Instr::Call(Call { func }) => self.traps.contains(func),
            _ => false,
        });
        let Some(mut end) = end else { return };
        let place = seq.instrs[end].1;
        while end > 0 && is_for_nothing(&seq.instrs[end - 1].0) {
            end -= 1;
        }
        seq.instrs.truncate(end);
        seq.instrs.push((Unreachable {}.into(), place));
    }
}

/// Whether nobody sees an instruction when a trap follows.
fn is_for_nothing(instr: &Instr) -> bool {
    matches!(
        instr,
        Instr::Const(_)
            | Instr::LocalGet(_)
            | Instr::LocalSet(_)
            | Instr::LocalTee(_)
            | Instr::GlobalGet(_)
            | Instr::Binop(_)
            | Instr::Unop(_)
            | Instr::Select(_)
            | Instr::Drop(_)
            | Instr::Load(_)
            | Instr::Store(_)
    )
}

/// After the glue is made: leaves out what nothing calls, and all but one of several equal functions.
pub fn reduce(module: &mut Module) {
    uncalled(module);
    forget_sources(module);
    merge(module);
}

/// Takes functions out of the table that no indirect call can reach: nothing calls their type. The table is not exported, so
/// JavaScript does not call them either.
fn uncalled(module: &mut Module) {
    let mut builder = FunctionBuilder::new(&mut module.types, &[], &[]);
    builder.func_body().unreachable();
    let stub = builder.finish(Vec::new(), &mut module.funcs);
    loop {
        let mut called = Types::default();
        for (_, function) in module.funcs.iter_local() {
            dfs_in_order(&mut called, function, function.entry_block());
        }
        let signature = |id| (module.types.params(id), module.types.results(id));
        let called: HashSet<_> = called.0.into_iter().map(signature).collect();
        let mut found = false;
        for element in module.elements.iter_mut() {
            let ElementItems::Functions(functions) = &mut element.items else { continue };
            for function in functions {
                if *function != stub && !called.contains(&signature(module.funcs.get(*function).ty())) {
                    *function = stub;
                    found = true;
                }
            }
        }
        walrus::passes::gc::run(module);
        if !found {
            break;
        }
    }
}

#[derive(Default)]
struct Types(HashSet<TypeId>);

impl<'instr> Visitor<'instr> for Types {
    fn visit_call_indirect(&mut self, call: &CallIndirect) {
        self.0.insert(call.ty);
    }
}

/// Blanks the places in source files that panics are to name: only messages would read them, and [`replace`] took those out.
fn forget_sources(module: &mut Module) {
    let all: Vec<_> = module.data.iter().map(|data| data.id()).collect();
    for id in all {
        let data = module.data.get_mut(id);
        let DataKind::Active { offset: ConstExpr::Value(Value::I32(start)), .. } = data.kind else {
            continue;
        };
        let bytes = &mut data.value;
        // A place is the address and the length of the file's name, a line and a column.
        let word = |bytes: &[u8], at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize
        };
        let mut blank = Vec::new();
        for at in (0..bytes.len().saturating_sub(15)).step_by(4) {
            let Some(name) = word(bytes, at).checked_sub(start as usize) else { continue };
            let Some(end) = name.checked_add(word(bytes, at + 4)).filter(|end| *end <= bytes.len()) else {
                continue;
            };
            if bytes[name..end].ends_with(b".rs") {
                blank.extend([at..at + 16, name..end]);
            }
        }
        blank.into_iter().for_each(|range| bytes[range].fill(0));
    }
}

fn merge(module: &mut Module) {
    loop {
        let mut first = HashMap::new();
        let mut same = HashMap::new();
        for (id, function) in module.funcs.iter_local() {
            let kept = *first.entry(text(module, function)).or_insert(id);
            if kept != id {
                same.insert(id, kept);
            }
        }
        if same.is_empty() {
            break;
        }
        redirect(module, &same);
        walrus::passes::gc::run(module);
    }
}

/// A function as text that is the same for equal functions.
fn text(module: &Module, function: &LocalFunction) -> String {
    let mut text = Text { module, out: format!("{:?}", function.ty()), locals: HashMap::new() };
    for &argument in &function.args {
        text.local(argument);
    }
    dfs_in_order(&mut text, function, function.entry_block());
    text.out
}

struct Text<'a> {
    module: &'a Module,
    out: String,
    locals: HashMap<LocalId, usize>,
}

impl Text<'_> {
    fn local(&mut self, id: LocalId) {
        let next = self.locals.len();
        let number = *self.locals.entry(id).or_insert(next);
        let _ = write!(self.out, "{number}:{:?};", self.module.locals.get(id).ty());
    }
}

impl<'instr> Visitor<'instr> for Text<'_> {
    fn start_instr_seq(&mut self, seq: &'instr InstrSeq) {
        let _ = write!(self.out, "{:?} {:?} {{", seq.id(), seq.ty);
    }

    fn end_instr_seq(&mut self, _: &'instr InstrSeq) {
        self.out.push('}');
    }

    fn visit_instr(&mut self, instr: &'instr Instr, _: &'instr walrus::ir::InstrLocId) {
        match instr {
            Instr::LocalGet(LocalGet { local }) => (self.out.push_str("get"), self.local(*local)).1,
            Instr::LocalSet(LocalSet { local }) => (self.out.push_str("set"), self.local(*local)).1,
            Instr::LocalTee(LocalTee { local }) => (self.out.push_str("tee"), self.local(*local)).1,
            other => drop(write!(self.out, "{other:?};")),
        }
    }
}

/// Uses other functions in place of some.
fn redirect(module: &mut Module, to: &HashMap<FunctionId, FunctionId>) {
    for (_, function) in module.funcs.iter_local_mut() {
        let entry = function.entry_block();
        dfs_pre_order_mut(&mut Redirect { to }, function, entry);
    }
    for element in module.elements.iter_mut() {
        if let ElementItems::Functions(functions) = &mut element.items {
            functions.iter_mut().for_each(|function| *function = *to.get(function).unwrap_or(function));
        }
    }
    for export in module.exports.iter_mut() {
        if let ExportItem::Function(function) = &mut export.item {
            *function = *to.get(function).unwrap_or(function);
        }
    }
}

struct Redirect<'a> {
    to: &'a HashMap<FunctionId, FunctionId>,
}

impl VisitorMut for Redirect<'_> {
    fn visit_function_id_mut(&mut self, function: &mut FunctionId) {
        *function = *self.to.get(function).unwrap_or(function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use walrus::{ElementKind, RefType, ValType};

    /// A function of one number that runs `body`.
    fn add(
        module: &mut Module,
        name: &str,
        body: impl FnOnce(&mut walrus::InstrSeqBuilder, LocalId),
    ) -> FunctionId {
        let mut builder = FunctionBuilder::new(&mut module.types, &[ValType::I32], &[]);
        builder.name(name.to_owned());
        let argument = module.locals.add(ValType::I32);
        body(&mut builder.func_body(), argument);
        builder.finish(vec![argument], &mut module.funcs)
    }

    fn names(module: &Module) -> Vec<&str> {
        let mut names: Vec<_> = module.funcs.iter().filter_map(|function| function.name.as_deref()).collect();
        names.sort_unstable();
        names
    }

    fn emitted(module: &mut Module) -> Module {
        Module::from_buffer(&module.emit_wasm()).expect("a valid module")
    }

    #[test]
    fn a_panic_is_only_a_trap() {
        let mut module = Module::default();
        let panic = add(&mut module, "core::panicking::panic_fmt", |_, _| {});
        let fail = add(&mut module, "our::own", |body, _| {
            body.i32_const(7).call(panic).unreachable();
        });
        let print = add(&mut module, "print", |_, _| {});
        let start = add(&mut module, "start", |body, argument| {
            body.local_get(argument).call(print).local_get(argument).if_else(
                None,
                |then| {
                    then.i32_const(5).call(print).i32_const(1).i32_const(2).drop().call(fail);
                },
                |_| {},
            );
        });
        module.exports.add("start", start);
        let missing = replace(&mut module);
        assert_eq!(missing, PLAIN.map(|(name, _)| name));

        let module = emitted(&mut module);
        assert_eq!(names(&module), ["print", "start"]);
        let function = module.exports.get_func("start").map(|id| module.funcs.get(id).kind.unwrap_local());
        let function = function.expect("the export");
        let mut text = Text { module: &module, out: String::new(), locals: HashMap::new() };
        dfs_in_order(&mut text, function, function.entry_block());
        assert_eq!(text.out.matches("Call(Call").count(), 2, "{}", text.out);
        assert_eq!(text.out.matches("Const(Const").count(), 1, "{}", text.out);
        assert_eq!(text.out.matches("Unreachable(Unreachable").count(), 1, "{}", text.out);
    }

    #[test]
    fn plain_functions_stand_for_the_standard_librarys() {
        let mut module = Module::default();
        let theirs: Vec<FunctionId> = PLAIN.map(|(name, _)| add(&mut module, name, |_, _| {})).into();
        for (_, name) in PLAIN {
            let ours = add(&mut module, name, |body, _| {
                body.i32_const(1).drop();
            });
            module.exports.add(name, ours);
        }
        let start = add(&mut module, "start", |body, argument| {
            body.local_get(argument).call(theirs[0]);
        });
        module.exports.add("start", start);
        assert_eq!(replace(&mut module), ["core::panicking"]);
        assert_eq!(names(&module), ["plain_float", "start"]);
        assert_eq!(emitted(&mut module).exports.iter().count(), 1);
    }

    #[test]
    fn one_of_equal_functions_stays() {
        let mut module = Module::default();
        let leaves = ["a", "b"].map(|name| {
            add(&mut module, name, |body, argument| {
                body.local_get(argument).drop();
            })
        });
        // Equal once what they call is.
        for (name, leaf) in ["c", "d"].into_iter().zip(leaves) {
            let caller = add(&mut module, name, |body, argument| {
                body.local_get(argument).call(leaf).i32_const(1).drop();
            });
            module.exports.add(name, caller);
        }
        let other = add(&mut module, "e", |body, argument| {
            body.local_get(argument).call(leaves[1]).i32_const(2).drop();
        });
        module.exports.add("e", other);
        merge(&mut module);
        assert_eq!(names(&module), ["a", "c", "e"]);
        assert_eq!(module.exports.get_func("c").ok(), module.exports.get_func("d").ok());
        emitted(&mut module);
    }

    #[test]
    fn the_table_keeps_what_can_be_called() {
        let mut module = Module::default();
        let called = add(&mut module, "called", |_, _| {});
        let mut builder = FunctionBuilder::new(&mut module.types, &[], &[ValType::F64]);
        builder.name("uncalled".to_owned()).func_body().f64_const(1.0);
        let uncalled = builder.finish(Vec::new(), &mut module.funcs);
        let table = module.tables.add_local(false, 2, Some(2), RefType::FUNCREF);
        let kind = ElementKind::Active { table, offset: ConstExpr::Value(Value::I32(0)) };
        let element = module.elements.add(kind, ElementItems::Functions(vec![called, uncalled]));
        module.tables.get_mut(table).elem_segments.insert(element);
        let ty = module.types.add(&[ValType::I32], &[]);
        let start = add(&mut module, "start", |body, argument| {
            body.local_get(argument).i32_const(0).call_indirect(ty, table);
        });
        module.exports.add("start", start);
        super::uncalled(&mut module);
        assert_eq!(names(&module), ["called", "start"]);
        assert_eq!(emitted(&mut module).funcs.iter().count(), 3);
    }

    #[test]
    fn places_in_sources_are_blank_and_the_rest_is_as_it_was() {
        let mut module = Module::default();
        let memory = module.memories.add_local(false, false, 1, None, None);
        let mut bytes = b"src/a.rswords...".to_vec();
        for word in [1024u32, 8, 11, 22, 1024 + 8, 8, 33, 44] {
            bytes.extend(word.to_le_bytes());
        }
        let offset = ConstExpr::Value(Value::I32(1024));
        let id = module.data.add(DataKind::Active { memory, offset }, bytes.clone());
        forget_sources(&mut module);
        let now = &module.data.get(id).value;
        assert_eq!((&now[..8], &now[16..32]), (&[0; 8][..], &[0; 16][..]));
        assert_eq!((&now[8..16], &now[32..]), (&bytes[8..16], &bytes[32..]));
    }
}
