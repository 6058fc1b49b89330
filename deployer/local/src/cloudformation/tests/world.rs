//! Made-up resource types over a made-up service: it keeps things by their ids, counts calls, fails and hangs as told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};

use crate::cloudformation::resources::schema::{Naming, Property, Schema, Shape, TAGS};
use crate::cloudformation::resources::{Actual, Answer, Attributes, Failure, Handler, Registry, Site};

const PROPERTIES: &[Property] = &[
    Property::new("Count", Shape::Integer),
    // Fails creation, an update to it, or deletion while it is there, according to its text.
    Property::new("Fail", Shape::Text),
    Property::new("Kind", Shape::Text).replaces(),
    Property::new("List", Shape::List(&Shape::Text)),
    Property::new("Name", Shape::Text).replaces(),
    Property::new("Note", Shape::Text),
    Property::new("Tags", TAGS),
    Property::new("Value", Shape::Text),
];

const fn schema(kind: &'static str) -> Schema {
    Schema {
        kind,
        properties: PROPERTIES,
        attributes: &["Arn", "Name", "Value"],
        named: Some("Name"),
        naming: Naming::Stack(40),
        taggable: true,
    }
}

/// One that needs a capability, and one that does not.
static NAMED: Schema = schema("AWS::IAM::Thing");
static PLAIN: Schema = schema("Test::Plain::Thing");

pub fn registry(world: &Arc<World>) -> Registry {
    Registry::of(
        [&NAMED, &PLAIN].map(|schema| Arc::new(Thing { schema, world: world.clone() }) as Arc<dyn Handler>),
    )
}

/// The service behind the made-up types.
#[derive(Default)]
pub struct World {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    things: BTreeMap<String, Value>,
    log: Vec<String>,
    /// Hang at the call with this number (from 0), before or after what it does.
    hang: Option<(usize, bool)>,
    hung: bool,
    busy: usize,
    most_busy: usize,
}

impl World {
    /// The things that there are, without what only tells them apart: made-up names lose their random end.
    pub fn things(&self) -> BTreeMap<String, Value> {
        let state = self.state.lock().unwrap();
        state.things.iter().map(|(id, thing)| (short(id), thing["properties"].clone())).collect()
    }

    pub fn ids(&self) -> Vec<String> {
        self.state.lock().unwrap().things.keys().cloned().collect()
    }

    /// The calls that changed something, in order.
    pub fn log(&self) -> Vec<String> {
        self.state.lock().unwrap().log.clone()
    }

    pub fn forget_log(&self) {
        self.state.lock().unwrap().log.clear();
    }

    pub fn tags(&self, id: &str) -> Value {
        self.state.lock().unwrap().things[id]["tags"].clone()
    }

    pub fn put(&self, id: &str, properties: Value) {
        self.state.lock().unwrap().things.insert(id.to_owned(), json!({"properties": properties}));
    }

    pub fn remove(&self, id: &str) {
        self.state.lock().unwrap().things.remove(id);
    }

    pub fn hang_at(&self, call: usize, after: bool) {
        let mut state = self.state.lock().unwrap();
        state.log.clear();
        state.hang = Some((call, after));
        state.hung = false;
    }

    pub fn release(&self) {
        let mut state = self.state.lock().unwrap();
        state.hang = None;
        state.busy = 0;
    }

    pub fn hung(&self) -> bool {
        self.state.lock().unwrap().hung
    }

    /// How many calls there were at the same time.
    pub fn most_busy(&self) -> usize {
        self.state.lock().unwrap().most_busy
    }

    async fn change<T>(
        &self,
        call: String,
        work: impl FnOnce(&mut State) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let number = {
            let mut state = self.state.lock().unwrap();
            state.log.push(call);
            state.busy += 1;
            state.most_busy = state.most_busy.max(state.busy);
            state.log.len() - 1
        };
        self.hang_if(number, false).await;
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
        let result = work(&mut self.state.lock().unwrap());
        self.hang_if(number, true).await;
        self.state.lock().unwrap().busy -= 1;
        result
    }

    async fn hang_if(&self, number: usize, after: bool) {
        let hangs = {
            let mut state = self.state.lock().unwrap();
            let hangs = state.hang == Some((number, after));
            state.hung |= hangs;
            hangs
        };
        if hangs {
            std::future::pending::<()>().await;
        }
    }
}

/// An id without its random end.
pub fn short(id: &str) -> String {
    match id.rsplit_once('-') {
        Some((start, random)) if random.len() == 12 => start.to_owned(),
        _ => id.to_owned(),
    }
}

struct Thing {
    schema: &'static Schema,
    world: Arc<World>,
}

fn fails(properties: &Value, verb: &str) -> Result<(), Failure> {
    if properties["Fail"] == verb {
        return Err(Failure::invalid(format!("{verb} refused")));
    }
    Ok(())
}

impl Handler for Thing {
    fn schema(&self) -> &'static Schema {
        self.schema
    }

    fn read<'a>(&'a self, _: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a, Attributes> {
        Box::pin(async move {
            let state = self.world.state.lock().unwrap();
            Ok(state.things.get(id).map(|thing| {
                Map::from_iter([
                    ("Arn".to_owned(), json!(format!("arn:thing/{id}"))),
                    ("Name".to_owned(), json!(id)),
                    ("Value".to_owned(), thing["properties"]["Value"].clone()),
                ])
            }))
        })
    }

    fn create<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a, String> {
        Box::pin(async move {
            let thing = json!({"properties": properties, "tags": site.tags(properties)});
            let create = |state: &mut State| {
                if state.things.contains_key(id) {
                    return Err(Failure { message: format!("{id} exists"), code: "AlreadyExists" });
                }
                // As some services do: it is there, though it failed.
                state.things.insert(id.to_owned(), thing);
                fails(properties, "create")?;
                Ok(id.to_owned())
            };
            self.world.change(format!("create {}", site.logical_id), create).await
        })
    }

    fn update<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value, after: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            let update = |state: &mut State| {
                let Some(thing) = state.things.get_mut(id) else {
                    return Err(Failure { message: format!("{id} is not there"), code: "NotFound" });
                };
                thing["properties"] = after.clone();
                thing["tags"] = json!(site.tags(after));
                fails(after, "update")
            };
            self.world.change(format!("update {}", site.logical_id), update).await
        })
    }

    fn actual<'a>(&'a self, _: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a, Actual> {
        Box::pin(async move {
            let state = self.world.state.lock().unwrap();
            Ok(match state.things.get(id) {
                Some(thing) => Actual::Has {
                    properties: thing["properties"].as_object().unwrap().clone(),
                    readable: &["Count", "Kind", "List", "Name", "Note", "Value"],
                },
                None => Actual::Deleted,
            })
        })
    }

    fn delete<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            let delete = |state: &mut State| {
                fails(properties, "delete")?;
                state.things.remove(id);
                Ok(())
            };
            self.world.change(format!("delete {}", site.logical_id), delete).await
        })
    }
}
