//! The orders of a scripted flights server: one per idempotency key, so that a second one for the same booking is seen.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use serde_json::{Value, json};

/// What the server sells, and to whom it has.
pub(crate) struct OrderBook {
    orders: Mutex<Vec<Value>>,
    honours_keys: AtomicBool,
    /// The code with which the next orders are refused.
    refuses: Mutex<Option<&'static str>>,
}

impl OrderBook {
    pub(crate) fn new() -> Self {
        Self { orders: Mutex::default(), honours_keys: AtomicBool::new(true), refuses: Mutex::default() }
    }

    /// All orders made so far.
    pub(crate) fn orders(&self) -> Vec<Value> {
        self.orders.lock().unwrap().clone()
    }

    /// From now on a key is good for any number of orders.
    pub(crate) fn forget_keys(&self) {
        self.honours_keys.store(false, Ordering::SeqCst);
    }

    /// From now on orders are refused with this code.
    pub(crate) fn refuse(&self, code: Option<&'static str>) {
        *self.refuses.lock().unwrap() = code;
    }

    /// Plays a tool that has to do with orders: its content, or the code of its error.
    pub(crate) fn play(&self, tool: &str, arguments: &Value) -> Option<Result<Value, &'static str>> {
        match tool {
            "get_offer_details" => Some(offer(arguments["offer_id"].as_str().unwrap())),
            "create_order" => Some(self.create(arguments)),
            "get_order" => {
                let orders = self.orders();
                let found = orders.iter().find(|order| order["idempotency_key"] == arguments["idempotency_key"]);
                Some(found.cloned().ok_or("order_not_found"))
            }
            "cancel_order" => Some(self.cancel(&arguments["order_id"])),
            _ => None,
        }
    }

    fn create(&self, arguments: &Value) -> Result<Value, &'static str> {
        let passenger = &arguments["passengers"][0];
        assert!(passenger["given_name"].is_string() && passenger["born_on"].is_string(), "{arguments}");
        assert!(arguments["contact"]["email"].is_string() && arguments["idempotency_key"].is_string(), "{arguments}");
        let mut orders = self.orders.lock().unwrap();
        let known = orders.iter().find(|order| order["idempotency_key"] == arguments["idempotency_key"]);
        if let Some(order) = known.filter(|_| self.honours_keys.load(Ordering::SeqCst)) {
            return Ok(order.clone());
        }
        if let Some(code) = *self.refuses.lock().unwrap() {
            return Err(code);
        }
        let is_hold = arguments["hold_only"] == true;
        let mut order = json!({"order_id": format!("ord_{}", orders.len()), "booking_reference": "TRIPSG",
            "status": if is_hold { "held" } else { "confirmed" }, "total_amount": 310.25, "currency": "USD",
            "idempotency_key": arguments["idempotency_key"]});
        if is_hold {
            order["expires_at"] = json!("2099-04-30T00:00:00Z");
        }
        orders.push(order.clone());
        Ok(order)
    }

    fn cancel(&self, order_id: &Value) -> Result<Value, &'static str> {
        let mut orders = self.orders.lock().unwrap();
        let order = orders.iter_mut().find(|order| order["order_id"] == *order_id).ok_or("order_not_found")?;
        if order["status"] == "cancelled" {
            return Err("already_cancelled");
        }
        order["status"] = json!("cancelled");
        Ok(order.clone())
    }
}

/// An offer that was not found by a search of this service.
fn offer(id: &str) -> Result<Value, &'static str> {
    let segment = json!({"departure_airport": "JFK", "arrival_airport": "CDG", "departure_time": "2099-05-01T08:00:00",
        "arrival_time": "2099-05-01T15:00:00", "flight_number": "TS1", "duration_minutes": 420});
    match id {
        "elsewhere" | "waitlist" => Ok(json!({"id": id, "total_amount": 300.0, "total_currency": "USD",
            "cabin_class": "economy", "airlines": ["TS"], "expires_at": "2099-05-01T00:00:00Z",
            "bookable": id != "waitlist", "slices": [{"segments": [segment]}], "passenger_count": 1})),
        "expired" => Err("offer_expired"),
        "strange" => Err("moon_phase"),
        _ => Err("offer_not_found"),
    }
}
