package io.leasehold;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.AccessTarget.CodeUnitAccessTarget;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaCodeUnitAccess;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import org.junit.jupiter.api.Test;

/// The rules of the architecture, checked on the compiled classes of rdma-core, testkit, lease and structures.
final class ArchitectureTest {

    /// Classes that may read a clock or draw a random number that no seed determines. Everything else gets time and randomness
    /// through its constructor, so that one seed replays a failure. Full names; a class brings its nested classes along.
    private static final Set<String> TIME_AND_CHANCE_ALLOWED = Set.of("io.leasehold.rdma.Deadline",
            "io.leasehold.rdma.internal.NicClock",
            "io.leasehold.lease.SystemClock", "io.leasehold.structures.SystemSources");

    /// Measures how long real things take, and records when they happened.
    private static final String TESTKIT = "io.leasehold.testkit";

    /// What each module must at least show, so that a rule cannot pass on nothing. Raise it as the modules grow.
    private static final Map<String, Integer> CLASSES_MIN =
            Map.of("io.leasehold.rdma", 60, "io.leasehold.testkit", 20, "io.leasehold.lease", 60, "io.leasehold.structures", 50);

    private static final JavaClasses CLASSES =
            new ClassFileImporter().withImportOption(new ImportOption.DoNotIncludeTests()).importPackages("io.leasehold");

    @Test
    void rulesSeeEveryModule() {
        CLASSES_MIN.forEach((name, countMin) -> {
            long seen = CLASSES.stream().filter(type -> isIn(type, name)).count();
            assertThat(seen).as("classes seen in %s", name).isGreaterThanOrEqualTo(countMin);
        });
    }

    @Test
    void structuresDoNotNameVerbs() {
        noClasses().that().resideInAPackage("io.leasehold.structures..")
                .should().dependOnClassesThat().resideInAPackage("io.leasehold.rdma..")
                .because("structures reach remote memory through leases only")
                .check(CLASSES);
    }

    @Test
    void internalsOfVerbsStayInside() {
        noClasses().that().resideOutsideOfPackage("io.leasehold.rdma..")
                .should().dependOnClassesThat().resideInAPackage("io.leasehold.rdma.internal..")
                .because("a provider is reached through io.leasehold.rdma alone")
                .check(CLASSES);
    }

    @Test
    void disniIsNamedInItsPackageOnly() {
        noClasses().that().resideOutsideOfPackage("io.leasehold.rdma.disni")
                .should().dependOnClassesThat().resideInAPackage("com.ibm.disni..")
                .because("its jar is there only for programs that are written for it")
                .check(CLASSES);
        assertThat(CLASSES.stream().filter(type -> type.getPackageName().equals("io.leasehold.rdma.disni"))
                .flatMap(type -> type.getDirectDependenciesFromSelf().stream())
                .filter(dependency -> dependency.getTargetClass().getPackageName().startsWith("com.ibm.disni"))).isNotEmpty();
    }

    @Test
    void timeAndChanceComeThroughTheConstructor() {
        noClasses().that(describe("are not allowed time and chance", type -> !type.getPackageName().startsWith(TESTKIT)
                && !TIME_AND_CHANCE_ALLOWED.contains(outermost(type))))
                .should(useTimeOrChance())
                .because("one seed must replay a failure; see TIME_AND_CHANCE_ALLOWED")
                .check(CLASSES);
    }

    @Test
    void allowedClassesExist() {
        assertThat(TIME_AND_CHANCE_ALLOWED).allSatisfy(name -> assertThat(CLASSES.contain(name)).as(name).isTrue());
    }

    /// The rule bites: this very class breaks it here, by a call and by a method reference.
    @Test
    void timeAndChanceAreSeen() {
        JavaClass sample = new ClassFileImporter().importClass(TimeAndChance.class);
        long seen = sample.getCodeUnitAccessesFromSelf().stream().filter(access -> isTimeOrChance(access.getTarget())).count();
        assertThat(seen).isEqualTo(5);
    }

    private static ArchCondition<JavaClass> useTimeOrChance() {
        return new ArchCondition<>("read a clock or draw an unseeded random number") {
            @Override
            public void check(JavaClass type, ConditionEvents events) {
                for (JavaCodeUnitAccess<?> access : type.getCodeUnitAccessesFromSelf()) {
                    if (isTimeOrChance(access.getTarget())) {
                        events.add(SimpleConditionEvent.satisfied(type, access.getDescription()));
                    }
                }
            }
        };
    }

    private static boolean isTimeOrChance(CodeUnitAccessTarget target) {
        JavaClass owner = target.getOwner();
        return switch (target.getName()) {
            case "nanoTime", "currentTimeMillis" -> owner.isEquivalentTo(System.class);
            case "<init>" -> owner.isEquivalentTo(Random.class) && target.getRawParameterTypes().isEmpty();
            case "current" -> owner.isEquivalentTo(ThreadLocalRandom.class);
            case "randomUUID" -> owner.isEquivalentTo(UUID.class);
            default -> false;
        };
    }

    private static boolean isIn(JavaClass type, String packageName) {
        return type.getPackageName().equals(packageName) || type.getPackageName().startsWith(packageName + ".");
    }

    private static String outermost(JavaClass type) {
        int end = type.getName().indexOf('$');
        return end < 0 ? type.getName() : type.getName().substring(0, end);
    }

    /// Everything that the rule forbids, once.
    private static final class TimeAndChance {
        final java.util.function.LongSupplier clock = System::nanoTime;
        final long now = System.currentTimeMillis();
        final int drawn = new Random().nextInt() + ThreadLocalRandom.current().nextInt();
        final UUID name = UUID.randomUUID();
    }
}
