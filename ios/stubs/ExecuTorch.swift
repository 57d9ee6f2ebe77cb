// Compile-only stub of ExecuTorch's Swift interface. Compared by eye with pytorch/executorch at cff6f4dd32e6,
// extension/apple/ExecuTorch/Exported: ExecuTorch+Tensor.swift, +Module.swift, +Value.swift, ExecuTorchModule.h.
@_exported import CFStubs

public protocol Scalar {}
extension UInt8: Scalar {}
extension Int32: Scalar {}
extension Float: Scalar {}

public protocol ValueConvertible {
  func asValue() -> Value
}

public protocol ValueSequenceConstructible {}
extension Tensor: ValueSequenceConstructible {}

open class Value: NSObject, ValueConvertible {
  public func asValue() -> Value { self }
  public func tensor<T: Scalar>() -> Tensor<T>? { fatalError("compile-only stub") }
}

public final class Tensor<T: Scalar>: ValueConvertible {
  public init(
    _ scalars: [T], shape: [Int] = [], strides: [Int] = [], dimensionOrder: [Int] = []
  ) {}
  public func asValue() -> Value { fatalError("compile-only stub") }
  public func scalars() -> [T] { fatalError("compile-only stub") }
}

open class Module: NSObject {
  public init(filePath: String) {}
  open func load(_ method: String) throws {}
  public func forward(_ inputs: ValueConvertible...) throws -> [Value] {
    fatalError("compile-only stub")
  }
  public func forward<Output: ValueSequenceConstructible>(
    _ input: ValueConvertible
  ) throws -> Output { fatalError("compile-only stub") }
  public func forward<Output: ValueSequenceConstructible>(
    _ inputs: ValueConvertible...
  ) throws -> Output { fatalError("compile-only stub") }
}
