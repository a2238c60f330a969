//! Where prices and stocks differ from the catalogue, because somebody set them. Bounded; checked by the simulator.

use std::collections::HashMap;
use std::hash::Hash;

use crate::domain::{CustomerId, LocationId, LocationLevel, Money, Quantity, Sku, Stock};

/// Prices, and stocks, that may be set: each this many.
pub const OVERRIDES_MAX: usize = 100_000;

/// Why a price or a stock cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    #[error("customer: {0} is not in the catalogue")]
    UnknownCustomer(CustomerId),
    #[error("sku: {0} is not in the catalogue")]
    UnknownSku(Sku),
    #[error("location: {0} is not one of PARIS and LYON")]
    UnknownLocation(LocationId),
    #[error("sku: {0} is not held in stock")]
    Untracked(Sku),
    #[error("netPrice: is negative")]
    NegativePrice,
    #[error("there is room for {OVERRIDES_MAX} of them only")]
    Full,
}

#[derive(Default)]
pub struct Overrides {
    /// By customer; `None` is the public.
    pub prices: Layer<Option<CustomerId>, Money>,
    pub on_hand: Layer<LocationId, Quantity>,
}

/// Values by SKU and by something else.
pub struct Layer<K, V> {
    by_sku: HashMap<Sku, HashMap<K, V>>,
    /// How many SKUs have a value for a key.
    by_key: HashMap<K, usize>,
    count: usize,
}

impl<K, V> Default for Layer<K, V> {
    fn default() -> Self {
        Self { by_sku: HashMap::new(), by_key: HashMap::new(), count: 0 }
    }
}

impl<K: Hash + Eq + Clone, V: Copy> Layer<K, V> {
    pub fn get(&self, sku: &Sku, key: &K) -> Option<V> {
        self.by_sku.get(sku)?.get(key).copied()
    }

    /// Whether any SKU has a value for this key.
    pub fn has(&self, key: &K) -> bool {
        self.by_key.contains_key(key)
    }

    /// `None` goes back to the catalogue.
    pub fn set(&mut self, sku: Sku, key: K, value: Option<V>) -> Result<(), ControlError> {
        let Some(value) = value else {
            if let Some(of_sku) = self.by_sku.get_mut(&sku) {
                if of_sku.remove(&key).is_some() {
                    self.count -= 1;
                    let left = self.by_key.get(&key).map_or(0, |count| count - 1);
                    if left == 0 {
                        self.by_key.remove(&key);
                    } else {
                        self.by_key.insert(key, left);
                    }
                }
                if of_sku.is_empty() {
                    self.by_sku.remove(&sku);
                }
            }
            return Ok(());
        };
        if self.get(&sku, &key).is_none() {
            if self.count >= OVERRIDES_MAX {
                return Err(ControlError::Full);
            }
            self.count += 1;
            *self.by_key.entry(key.clone()).or_insert(0) += 1;
        }
        self.by_sku.entry(sku).or_default().insert(key, value);
        Ok(())
    }
}

impl Overrides {
    /// Lays what was set over what the catalogue says; what is reserved stays.
    pub fn lay_over(&self, sku: &Sku, stock: &mut Stock) {
        let (Stock::Levels { locations, .. }, Some(held)) = (stock, self.on_hand.by_sku.get(sku)) else { return };
        for (location, &on_hand) in held {
            match locations.iter_mut().find(|level| level.location == *location) {
                Some(level) => {
                    level.on_hand = Some(on_hand);
                    level.available = on_hand.minus(level.reserved.unwrap_or(Quantity::ZERO)).unwrap_or(on_hand);
                }
                None => locations.push(LocationLevel {
                    location: location.clone(),
                    on_hand: Some(on_hand),
                    reserved: Some(Quantity::ZERO),
                    available: on_hand,
                }),
            }
        }
    }
}
