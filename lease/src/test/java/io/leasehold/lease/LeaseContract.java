package io.leasehold.lease;

import java.util.List;
import java.util.function.Function;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.lifecycle.Lifespan;
import net.jqwik.api.lifecycle.Store;

/// The properties P1 to P12 that protection rests on, to be run on every fabric: a class that implements this names one.
///
/// That each property bites shows [LeaseMutationTest].
interface LeaseContract {
    /// What the properties are run on.
    Fabric fabric();

    /// How they are run on it.
    default Setting setting() {
        return Setting.on(fabric());
    }

    @Property
    default void p01_confinement(@ForAll(supplier = Confinement.Steps.class) List<Confinement.Step> steps) throws Exception {
        shared(Confinement::new).check(steps);
    }

    @Property
    default void p02_expiry_byTheNodesClock(@ForAll(supplier = Expiry.Lives.class) Expiry.Life life) throws Exception {
        shared(Expiry::new).check(life);
    }

    @Property
    default void p02_expiry_byTheHoldersClock(@ForAll(supplier = HolderClock.Terms.class) int termMicros) throws Exception {
        shared(HolderClock::new).check(termMicros);
    }

    @Property
    default void p03_extendAgainstRevoke(@ForAll(supplier = Extension.Races.class) Extension.Race race) throws Exception {
        shared(Extension::new).check(race);
    }

    @Property
    default void p04_fencing(@ForAll(supplier = Fencing.Handovers.class) Fencing.Handover handover) throws Exception {
        shared(Fencing::new).check(handover);
    }

    @Property
    default void p05_isolation(@ForAll(supplier = Isolation.Thefts.class) Isolation.Theft theft) throws Exception {
        shared(Isolation::new).check(theft);
    }

    @Property
    default void p06_modes(@ForAll(supplier = Modes.Steps.class) List<Modes.Step> steps) throws Exception {
        shared(Modes::new).check(steps);
    }

    @Property
    default void p06_modes_ofACrowd(@ForAll(supplier = Crowd.Visits.class) List<List<Crowd.Visit>> crowd) throws Exception {
        shared(Crowd::new).check(crowd);
    }

    @Property
    default void p07_rights(@ForAll(supplier = Rights.Uses.class) Rights.Use use) throws Exception {
        shared(Rights::new).check(use);
    }

    @Property
    default void p08_recovery(@ForAll(supplier = ExactlyOnce.Storms.class) ExactlyOnce.Storm storm) throws Exception {
        shared(ExactlyOnce::new).check(storm);
    }

    @Property
    default void p09_noLeak(@ForAll(supplier = NoLeak.Lives.class) List<NoLeak.Life> lives) throws Exception {
        shared(NoLeak::new).check(lives);
    }

    @Property
    default void p10_death(@ForAll(supplier = Death.Lives.class) Death.Life life) throws Exception {
        shared(Death::new).check(life);
    }

    @Property
    default void p11_keys(@ForAll(supplier = FreshKeys.Steps.class) List<FreshKeys.Step> steps) throws Exception {
        shared(FreshKeys::new).check(steps);
    }

    @Property
    default void p12_capacity(@ForAll(supplier = Capacity.Steps.class) List<Capacity.Step> steps) throws Exception {
        shared(Capacity::new).check(steps);
    }

    /// The property with its cluster, made by the first try and closed after the last.
    private <P extends LeaseProperty<?>> P shared(Function<Setting, P> property) {
        return Store.getOrCreate(fabric(), Lifespan.PROPERTY, () -> new Shared<>(property.apply(setting()))).get()
                .property();
    }

    /// What jqwik closes when all tries of a property were made.
    record Shared<P extends LeaseProperty<?>>(P property) implements Store.CloseOnReset {
        @Override
        public void close() {
            property.close();
        }
    }
}
