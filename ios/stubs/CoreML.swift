// Compile-only stub of Core ML, as documented for iOS 17. Classes are not Sendable here, whatever a
// newer SDK says: what compiles so compiles either way.
@_exported import CoreVideo

public enum MLComputeUnits: Int, Sendable { case cpuOnly, cpuAndGPU, all, cpuAndNeuralEngine }

open class MLModelConfiguration: NSObject {
  public override init() {}
  open var computeUnits: MLComputeUnits = .all
  @available(macOS 15, iOS 18, *)
  open var optimizationHints = MLOptimizationHints()
}

public struct MLOptimizationHints {
  public enum SpecializationStrategy { case `default`, fastPrediction }
  public var specializationStrategy: SpecializationStrategy = .default
}

public struct MLModelMetadataKey: Hashable, Sendable {
  public static let creatorDefinedKey = MLModelMetadataKey()
}

open class MLModelDescription: NSObject {
  open var metadata: [MLModelMetadataKey: Any] { stub() }
}

open class MLModel: NSObject {
  open class func load(
    contentsOf url: URL, configuration: MLModelConfiguration = MLModelConfiguration()
  ) async throws -> MLModel { stub() }
  open class func compileModel(at modelURL: URL) async throws -> URL { stub() }
  open var modelDescription: MLModelDescription { stub() }
  open func prediction(from input: any MLFeatureProvider) throws -> any MLFeatureProvider { stub() }
}

@available(macOS 14.4, iOS 17.4, *)
public class MLComputePlan {
  public struct DeviceUsage { public var preferred: MLComputeDevice { stub() } }
  public class func load(
    contentsOf url: URL, configuration: MLModelConfiguration
  ) async throws -> MLComputePlan { stub() }
  public var modelStructure: MLModelStructure { stub() }
  public func deviceUsage(for operation: MLModelStructure.Program.Operation) -> DeviceUsage? {
    stub()
  }
}

public class MLCPUComputeDevice {}
public class MLGPUComputeDevice {}
public class MLNeuralEngineComputeDevice {}
public enum MLComputeDevice {
  case cpu(MLCPUComputeDevice)
  case gpu(MLGPUComputeDevice)
  case neuralEngine(MLNeuralEngineComputeDevice)
}

@available(macOS 14.4, iOS 17.4, *)
public enum MLModelStructure {
  case neuralNetwork, pipeline, unsupported
  case program(Program)
  public struct Program {
    public struct Function { public let block: Block }
    public struct Block { public let operations: [Operation] }
    public struct Operation { public let blocks: [Block] }
    public let functions: [String: Function]
  }
}

public protocol MLFeatureProvider {
  var featureNames: Set<String> { get }
  func featureValue(for featureName: String) -> MLFeatureValue?
}

open class MLDictionaryFeatureProvider: NSObject, MLFeatureProvider {
  public init(dictionary: [String: Any]) throws {}
  public var featureNames: Set<String> { stub() }
  public func featureValue(for featureName: String) -> MLFeatureValue? { stub() }
}

open class MLFeatureValue: NSObject {
  public init(pixelBuffer: CVPixelBuffer) {}
  open var multiArrayValue: MLMultiArray? { stub() }
}

open class MLMultiArray: NSObject {}

public protocol MLShapedArrayScalar {}
extension Float: MLShapedArrayScalar {}
extension Int32: MLShapedArrayScalar {}

public struct MLShapedArray<Scalar: MLShapedArrayScalar> {
  public init(converting multiArray: MLMultiArray) {}
  public var scalars: [Scalar] { stub() }
}
