// Compile-only stub of Core AI, as documented for iOS 27:
// https://developer.apple.com/documentation/coreai and the pages below it. What the documentation
// does not call Sendable is not Sendable here.
@_exported import CFStubs

public struct AIModelAsset {
  public init(contentsOf url: URL) throws { stub() }
  public var metadata: Metadata { stub() }

  public struct Metadata {
    public var creatorDefinedMetadata: [String: CreatorDefinedValue] {
      get { stub() }
      set { stub() }
    }

    public enum CreatorDefinedValue {
      case string(String)
      case integer(Int)
      case number(Double)
      case bool(Bool)
      case array([CreatorDefinedValue])
      case dictionary([String: CreatorDefinedValue])
    }
  }
}

public struct SpecializationOptions: Sendable {
  public static let `default` = SpecializationOptions()
}

public struct AIModel {
  public init(contentsOf modelURL: URL, options: SpecializationOptions = .default) async throws {
    stub()
  }
  public func loadFunction(named functionName: String) throws -> InferenceFunction? { stub() }
}

public struct InferenceFunction: Sendable {
  public func run(
    inputs: [String: NDArray], states: consuming MutableViews = MutableViews(),
    outputViews: consuming MutableViews = MutableViews()
  ) async throws -> Outputs { stub() }

  public struct MutableViews: ~Copyable {
    public init() {}
  }

  public struct Outputs: ~Copyable {
    public mutating func remove(_ outputName: String) -> InferenceValue? { stub() }
  }
}

public struct InferenceValue: ~Copyable {
  public var ndArray: NDArray? { stub() }
}

public struct NDArray {
  public init<Scalar: BitwiseCopyable>(scalars: some Sequence<Scalar>, shape: [Int]) { stub() }
  public var scalarType: ScalarType { stub() }
  public var interleaveLayout: InterleaveLayout? { stub() }
  public func view<T: BitwiseCopyable>(as type: T.Type = T.self) -> View<T> { stub() }

  public enum ScalarType { case uint8, int32, float16, float32 }
  public struct InterleaveLayout {}

  public struct View<Element: BitwiseCopyable>: ~Copyable {
    public func withUnsafePointer<R, E: Error>(
      _ body: (UnsafePointer<Element>, Lengths, Lengths) throws(E) -> R
    ) throws(E) -> R { stub() }
  }

  /// In place of the standard library's Span<Int>, which Swift 6.0 has not.
  public struct Lengths {
    public var count: Int { stub() }
    public subscript(position: Int) -> Int { stub() }
  }
}
