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
  public convenience init(
    contentsOf url: URL, configuration: MLModelConfiguration
  ) throws { stub() }
  open class func compileModel(at modelURL: URL) async throws -> URL { stub() }
  open var modelDescription: MLModelDescription { stub() }
  open func prediction(from input: any MLFeatureProvider) throws -> any MLFeatureProvider { stub() }
  open func prediction(
    from input: any MLFeatureProvider, options: MLPredictionOptions = MLPredictionOptions()
  ) async throws -> any MLFeatureProvider { stub() }
}

open class MLPredictionOptions: NSObject {}

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
