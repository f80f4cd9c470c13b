package io.leasehold.rdma;

import java.util.ServiceLoader;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/// An RDMA device: real, or the software fabric.
///
/// Thread-safe. Everything made from a device is closed before it, in reverse order of making.
public interface RdmaDevice extends AutoCloseable {
    /// Opens a device of the provider that `options` name.
    ///
    /// @throws RdmaException with [RdmaError#UNSUPPORTED] if there is no such provider, naming those there are; or as
    ///         [RdmaProvider#open] says
    static RdmaDevice open(DeviceOptions options) {
        var providers = ServiceLoader.load(RdmaProvider.class, RdmaDevice.class.getClassLoader()).stream()
                .map(ServiceLoader.Provider::get).collect(Collectors.toMap(RdmaProvider::name, provider -> provider));
        RdmaProvider provider = providers.get(options.provider());
        if (provider == null) {
            throw new RdmaException(RdmaError.UNSUPPORTED,
                    "no provider '" + options.provider() + "'; there is " + providers.keySet());
        }
        return provider.open(options);
    }

    /// What the device is and how much it has.
    DeviceAttributes attributes();

    /// How much of it is in use.
    ResourceCounts resources();

    /// Allocates a protection domain.
    ProtectionDomain allocateProtectionDomain();

    /// Creates a completion queue for `capacity` completions.
    CompletionQueue createCompletionQueue(int capacity);

    /// Listens for connections at [DeviceOptions#host()] and [DeviceOptions#port()], and for those of the same JVM.
    ///
    /// @throws RdmaException with [RdmaError#BUSY] if the device listens already
    Listener listen(ConnectionHandler handler);

    /// Has `observer` told of asynchronous events, on a thread of the device and with no lock held. Observers add up.
    void onAsyncEvent(Consumer<AsyncEvent> observer);

    /// Tries what protection rests on, with windows and with regions: a bind or a registration, each right, the bytes beside it, dead
    /// and foreign keys. Takes a fraction of a second, and queue pairs, windows, regions and a port of the device for as long.
    ///
    /// @return what was tried and what of it failed, by name
    /// @throws RdmaException if the device has no room for it, or is closed
    default ProbeReport probe() {
        return DeviceProbe.run(this);
    }

    /// Closes the device and all that is left of it.
    @Override
    void close();
}
