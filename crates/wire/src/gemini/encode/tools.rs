//! `tools` and `toolConfig`.

use pointsman_core::Dialect;

use super::super::thinking::Family;
use super::super::words::MODE;
use super::Top;
use crate::json::{Text, Writer};
use crate::neutral::terms::{self, grammar};
use crate::neutral::{Extension, Given, Losses, Path, Tool, ToolChoice, ToolKind};

/// The input of a tool that takes free text: [`crate::neutral::Arguments`] moves it in and out.
const FREE_INPUT: &str = r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#;

impl Top<'_> {
    pub(super) fn tools(&mut self, tools: &[Tool<'_>]) {
        let own = self.own;
        let carried = |tool: &&Tool<'_>| own || !matches!(tool.kind, ToolKind::Server(_));
        for tool in tools.iter().filter(|tool| !carried(tool)) {
            self.losses.at(tool.path);
        }
        let carried: Vec<&Tool<'_>> = tools.iter().filter(carried).collect();
        if carried.is_empty() || !self.key("tools", "tools") {
            return;
        }
        let Self { w, losses, client, .. } = self;
        w.array(|w| {
            // A client's own groups stay; functions of others are one group.
            for group in carried.chunk_by(|one, next| !own || group(one) == group(next)) {
                w.object(|w| write_group(w, group, *client, losses));
            }
        });
    }

    pub(super) fn tool_config(
        &mut self,
        tools: &[Tool<'_>],
        choice: Option<&Given<ToolChoice<'_>>>,
        family: Family,
    ) {
        const OBJECT: &str = "toolConfig";
        const INNER: &str = "functionCallingConfig";
        let functions = || tools.iter().filter(|tool| !matches!(tool.kind, ToolKind::Server(_)));
        if functions().next().is_none() && !self.own {
            // Without tools, nothing can be called anyway.
            self.losses.given(choice.filter(|given| forces(&given.value)));
            return;
        }
        let strict =
            functions().any(|tool| matches!(tool.kind, ToolKind::Function { strict: Some(true), .. }));
        if strict && !family.fetches() && !choice.is_some_and(|given| forces(&given.value)) {
            for tool in
                functions().filter(|tool| matches!(tool.kind, ToolKind::Function { strict: Some(true), .. }))
            {
                self.losses.member(tool.path, terms::strict(self.client));
            }
        }
        let kept = if self.own { kept_mode(self.rest) } else { None };
        let said = match (choice.map(|given| &given.value), strict && family.fetches()) {
            // Calls that are free obey their schemas only where this is said; forced ones always do.
            (None | Some(ToolChoice::Auto), true) => Some("VALIDATED"),
            (None, false) => None,
            (Some(ToolChoice::Auto), false) => Some("AUTO"),
            (Some(ToolChoice::None), _) => Some("NONE"),
            (Some(ToolChoice::Among { required: false, .. }), _) => Some("VALIDATED"),
            (Some(_), _) => Some("ANY"),
        };
        let extended = |object: &str| {
            self.own && self.rest.iter().any(|own| super::under(&own.name.value(), object).is_some())
        };
        if said.is_none() && !extended(OBJECT) {
            return;
        }
        let calls = said.is_some() || extended("toolConfig.functionCallingConfig");
        if !self.key(OBJECT, choice.map_or(OBJECT, |given| given.field)) {
            return;
        }
        self.w.frame(b"{");
        if calls {
            self.w.key(INNER).frame(b"{");
            match (kept, said) {
                (Some(raw), _) => {
                    self.w.key("mode").raw(raw);
                }
                (None, Some(mode)) => {
                    self.w.key("mode").string(mode);
                }
                (None, None) => {}
            }
            self.names(choice.map(|given| &given.value));
            self.rest_of_calling();
            self.w.frame(b"}");
        }
        self.write_under(OBJECT, INNER);
        self.w.frame(b"}");
    }

    fn names(&mut self, choice: Option<&ToolChoice<'_>>) {
        let names: &[Text<'_>] = match choice {
            Some(ToolChoice::Named(name)) => std::slice::from_ref(name),
            Some(ToolChoice::Among { names, .. }) => names,
            _ => return,
        };
        self.w.key("allowedFunctionNames").array(|w| {
            for name in names {
                w.text(name);
            }
        });
    }

    /// What else stood beside the mode.
    fn rest_of_calling(&mut self) {
        if !self.own {
            return;
        }
        for extension in self.rest {
            let name = extension.name.value();
            if let Some(name) = super::under(&name, "toolConfig.functionCallingConfig")
                && name != "mode"
            {
                self.w.key(name).raw(extension.raw);
            }
        }
    }
}

/// The mode as the client wrote it, where the neutral form says less.
fn kept_mode<'r>(rest: &'r [Extension<'_>]) -> Option<&'r str> {
    rest.iter().find(|extension| extension.name == MODE).map(|extension| extension.raw)
}

/// Whether something must be called.
const fn forces(choice: &ToolChoice<'_>) -> bool {
    matches!(choice, ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Among { required: true, .. })
}

/// The object in the client's list that the tool stood in.
const fn group(tool: &Tool<'_>) -> Option<u32> {
    match tool.path {
        Path::Item(_, at) | Path::Part(_, at, ..) => Some(at),
        Path::Root | Path::Field(_) => None,
    }
}

fn write_group(w: &mut Writer, group: &[&Tool<'_>], client: Dialect, losses: &mut Losses) {
    let is_function = |tool: &&&Tool<'_>| !matches!(tool.kind, ToolKind::Server(_));
    if group.iter().any(|tool| is_function(&tool)) {
        w.key("functionDeclarations").array(|w| {
            for tool in group.iter().filter(is_function) {
                w.object(|w| write_function(w, tool, client, losses));
            }
        });
    }
    for tool in group {
        if let ToolKind::Server(raw) = tool.kind {
            w.key(&tool.name.value()).raw(raw);
        }
    }
}

fn write_function(w: &mut Writer, tool: &Tool<'_>, client: Dialect, losses: &mut Losses) {
    let own = client == Dialect::Gemini;
    let Tool { name, description, kind, cache, path, rest } = tool;
    w.key("name").text(name);
    if let Some(description) = description {
        w.key("description").text(description);
    }
    match kind {
        ToolKind::Function { schema: Some(schema), strict: _ } => match schema.native().filter(|_| own) {
            Some(native) => {
                w.key("parameters").raw(native);
            }
            None => {
                w.key("parametersJsonSchema").raw(schema);
            }
        },
        ToolKind::Custom { format } => {
            if format.is_some() {
                losses.member(*path, grammar(client));
            }
            w.key("parametersJsonSchema").raw(FREE_INPUT);
        }
        ToolKind::Function { schema: None, .. } | ToolKind::Server(_) => {}
    }
    if cache.is_some() {
        losses.member(*path, "cache_control");
    }
    if own {
        for extension in rest {
            w.key(&extension.name.value()).raw(extension.raw);
        }
    } else {
        losses.extensions(rest);
    }
}
