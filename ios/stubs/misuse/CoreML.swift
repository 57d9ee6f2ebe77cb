// expect: extra argument 'options' in call
import CoreML

func load(_ url: URL) async throws -> MLModel {
  try await MLModel.load(contentsOf: url, configuration: MLModelConfiguration(), options: 1)
}
