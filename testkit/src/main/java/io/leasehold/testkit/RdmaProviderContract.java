package io.leasehold.testkit;

/// Everything that a provider must do. A test class that implements [#openDevice()] runs it; the JUnit Jupiter engine takes the
/// `@Test` methods, the jqwik engine the properties.
///
/// ```java
/// class SoftLocalConformanceTest implements RdmaProviderContract {
///     @Override
///     public RdmaDevice openDevice() {
///         return RdmaDevice.open(DeviceOptions.soft().withLinks(Link.LOCAL));
///     }
/// }
/// ```
@FunctionalInterface
public interface RdmaProviderContract extends ConnectionContract, QueuePairContract, ErrorContract, MemoryRegionContract,
        MemoryWindowContract, FencingContract, AtomicContract, OrderingContract, TransferContract, ProtectionContract {
}
